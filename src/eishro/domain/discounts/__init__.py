"""Discounts: coupons, which a buyer names by a code, and promotions, which apply by themselves.

Both are one thing with or without a code. What they take off is a pure calculation
(`model.reduce`); how often they may be used is counted in the batch that places the order
(`uses.use`) and given back when the order is cancelled or expires (`uses.give_back`).
"""
