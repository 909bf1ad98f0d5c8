"""Shipping: where goods go, what it costs and how a parcel travels.

A place is a city of `cities.py`, known by its code (`misrata`); the street is the customer's own
words. Prices hang on cities, so a store needs no map.
"""
