"""Stores: a merchant's shop, its settings and its tree of categories.

A new store is active and sells at once (unless approval is asked for); a deactivated one keeps
its rows and is shown to its own people only.
"""
