"""Suspense: money that came and belongs to no order, one item for each receipt.

    open --assign--> assigned --resolve--> resolved        an open one may be resolved at once

Every item has somebody who looks after it (the platform, until a person is named) and a deadline.
Open and assigned items add up to the suspense account of the ledger.
"""
