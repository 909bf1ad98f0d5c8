"""Invoices and credit notes: what was sold and given back, numbered without a gap in each store.

    order confirmed or paid -> invoice (one an order) -> credit note (one a refund)

A document is never changed or deleted. What it prints is kept with it (`Content`), so it reads the
same whatever becomes of the order, the store's name or its settings. Numbers are taken when a
document is issued, never while an order is placed.
"""
