"""Drafts: orders that the store's people prepare, not placed yet.

    open -> placed    it became an order, once
         -> deleted   nobody needs it any more

A draft holds no stock and fixes no price; it may be incomplete. Placing it is an order like any
other (flows/draft_orders.py).
"""
