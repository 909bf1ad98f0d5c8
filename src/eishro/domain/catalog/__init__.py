"""Catalogue: products, their variants and where they are shelved.

A product is `active` (public), `draft` (being written) or `archived` (kept for old orders). What
is sold is a variant: every product has at least one. How many there are is `domain/stock`.
"""
