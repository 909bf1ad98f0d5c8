"""Customers: what a buyer keeps with an account beside the login.

An address book of at most `ADDRESSES_MAX` places, one of them the default; and telephones that
were proven by a one-time code, which with a verified e-mail address join orders placed as a guest.
A store's own view of its buyers is a list of its orders (`domain/orders/buyers.py`).
"""
