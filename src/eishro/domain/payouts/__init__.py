"""Payouts: what the platform owes a store, sent to its bank account.

    requested --approve--> approved --pay--> paid
        |                     |
        +--cancel, reject-----+--reject

A merchant requests, one admin approves, another one pays: never the same person twice in a row.
An open payout reserves its amount; the row of the store's bank account is what two requests at
once meet on, so they cannot both take one balance.
"""
