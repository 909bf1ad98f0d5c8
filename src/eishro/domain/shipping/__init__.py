"""Shipping: where goods go, what it costs and how a parcel travels.

A place is a city of `cities.py`, known by its code (`misrata`); the street is the customer's own
words. Prices hang on cities, so a store needs no map.

A parcel is a shipment (`shipments.py`): some or all of an order's pieces with a carrier's name and
tracking number, and the cash its courier collects (`cod.py`).
"""
