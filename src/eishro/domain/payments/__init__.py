"""Payments: attempts to get an order's money through a provider.

    created -> action_required -> processing -> paid -> (partially_refunded -> refunded | voided)
                     |                |
                     +----------------+--> failed | cancelled | expired | unknown

Only a provider's own proof makes a payment `paid`, and `paid` never goes back. Money that the
order no longer waits for (late, twice, another amount) is kept, flagged and shown to people.
"""
