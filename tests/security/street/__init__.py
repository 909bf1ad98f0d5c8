"""Two stores alike, side by side: what one does must leave the other's rows as they are.

`build` fills a database once; every `Step` is one request (or one turn of the background) of the
first store's people on a copy of it. `walk` takes a step and looks at what became of the neighbour.
"""

from tests.security.street import (
    books,
    catalog,
    discounts,
    drafts,
    forgotten,
    invoices,
    orders,
    payments,
    returns,
    shipments,
    staff,
    stores,
    trail,
    transfers,
    zones,
)
from tests.security.street.building import build
from tests.security.street.step import Step, Street, Trespass
from tests.security.street.walking import rows_of, walk

# Somebody of both stores first: a membership is where a mix-up shows soonest.
STEPS = (
    *stores.STEPS,
    *zones.STEPS,
    *staff.STEPS,
    *catalog.STEPS,
    *discounts.STEPS,
    *orders.STEPS,
    *forgotten.STEPS,
    *drafts.STEPS,
    *shipments.STEPS,
    *payments.STEPS,
    *transfers.STEPS,
    *books.STEPS,
    *invoices.STEPS,
    *returns.STEPS,
    *trail.STEPS,
)

__all__ = ["STEPS", "Step", "Street", "Trespass", "build", "rows_of", "walk"]
