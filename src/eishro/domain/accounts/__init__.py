"""Accounts: people, their sessions, and the stores they belong to.

A user has one role on the platform (`admin`, `merchant`, `customer`); what a merchant or a
member of staff may do in a store is a membership. A session is a sign-in on one device: a
short access token names it, a refresh token that changes at every use keeps it alive.
"""
