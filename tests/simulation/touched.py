"""What a step touched is read again and compared: holds, uses of promotions, drafts, payouts.

The batches themselves say which orders, promotions, drafts and payouts that is (`crashes.Trail`);
everything else is as it was. So a check costs the same in a young shop and in an old one, and each
sum that is kept here is compared with the whole database now and then (`invariants.py`).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.statements import Query, in_list
from eishro.domain.discounts.sql import promotions
from eishro.domain.discounts.uses import order_promotions, promotion_uses
from eishro.domain.drafts.sql import draft_orders
from eishro.domain.orders.model import CAPTURED
from eishro.domain.orders.sql import order_history, order_lines, orders
from eishro.domain.payouts.sql import payouts
from eishro.domain.shipping.shipments_sql import shipment_lines, shipments
from eishro.domain.stock.sql import stock
from eishro.flows.draft_orders import CHANNEL
from tests.simulation.universe import Universe

_HOLDING = ["pending", "confirmed", "processing"]
_NEXT = {"requested": {"approved", "rejected", "cancelled"}, "approved": {"paid", "rejected"}}
_OPEN = ("requested", "approved")


def row(*values: Any) -> tuple[Any, ...]:
    """A row as it is."""
    return values


def _pieces(quantity: sa.Column[int], source: Any, *where: sa.ColumnElement[bool]) -> Query[Any]:
    """Pieces of orders that hold goods, by order and variant."""
    columns = order_lines.c.order_id, order_lines.c.variant_id
    return Query(
        sa.select(*columns, sa.func.sum(quantity))
        .select_from(source)
        .where(in_list(orders.c.status, "holding"), *where)
        .group_by(*columns),
        row,
        across_stores=True,
    )


_LINES = orders.join(order_lines, order_lines.c.order_id == orders.c.id)
# Pieces of such orders that are in parcels, and no longer held.
_PARCELS = (
    orders.join(shipments, shipments.c.order_id == orders.c.id)
    .join(shipment_lines, shipment_lines.c.shipment_id == shipments.c.id)
    .join(
        order_lines,
        sa.and_(
            order_lines.c.order_id == orders.c.id,
            order_lines.c.position == shipment_lines.c.position,
        ),
    )
)
_THESE = in_list(orders.c.id, "ids")
_IS_LIVE = shipments.c.status != "cancelled"
_ORDERED = _pieces(order_lines.c.quantity, _LINES, _THESE)
_LEFT = _pieces(shipment_lines.c.quantity, _PARCELS, _THESE, _IS_LIVE)
_ALL_ORDERED = _pieces(order_lines.c.quantity, _LINES)
_ALL_LEFT = _pieces(shipment_lines.c.quantity, _PARCELS, _IS_LIVE)
_STOCK = Query(
    sa.select(stock.c.variant_id, stock.c.available, stock.c.held, stock.c.sold),
    row,
    across_stores=True,
)


class Holds:
    """Pieces that orders hold, by variant, and pieces of each variant in all."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._of_orders: dict[str, Counter[int]] = {}
        self._held: Counter[int] = Counter()
        self._pieces: dict[int, int] = {}

    async def look(self) -> None:
        """Every variant has as much held as orders hold, and no piece came or went."""
        await self._follow()
        for variant, available, reserved, sold in await self._universe.db.all(_STOCK):
            expected = self._held[variant]
            assert reserved == expected, f"variant {variant}: {reserved} held, not {expected}"
            assert reserved >= 0 and sold >= 0, f"variant {variant}: {reserved} held, {sold} sold"
            if available is None:
                continue
            assert available >= 0, f"variant {variant}: {available} available"
            pieces = available + reserved + sold
            if not self._universe.recounted:
                seen = self._pieces.get(variant, pieces)
                assert pieces == seen, f"variant {variant}: {pieces} pieces, {seen} before"
            self._pieces[variant] = pieces

    async def _follow(self) -> None:
        ids = self._universe.trail.of("ord")
        if not ids:
            return
        found: dict[str, Counter[int]] = {order_id: Counter() for order_id in ids}
        db = self._universe.db
        for order_id, variant, pieces in await db.all(_ORDERED, ids=ids, holding=_HOLDING):
            found[order_id][variant] += int(pieces)
        for order_id, variant, pieces in await db.all(_LEFT, ids=ids, holding=_HOLDING):
            found[order_id][variant] -= int(pieces)
        for order_id, holds in found.items():
            self._held.subtract(self._of_orders.pop(order_id, Counter()))
            self._held.update(holds)
            if any(holds.values()):
                self._of_orders[order_id] = holds

    async def look_at_everything(self) -> None:
        """The kept sums are those of all orders."""
        held: Counter[int] = Counter()
        db = self._universe.db
        for _, variant, pieces in await db.all(_ALL_ORDERED, holding=_HOLDING):
            held[variant] += int(pieces)
        for _, variant, pieces in await db.all(_ALL_LEFT, holding=_HOLDING):
            held[variant] -= int(pieces)
        assert +held == +self._held, "an order changed what it holds, and no batch named it"


_PRICES = Query(
    sa.select(orders.c.id, orders.c.payment_status, orders.c.total_dirhams).where(_THESE),
    row,
    across_stores=True,
)


class Settled:
    """What was settled of each order's price: paid, collected, or taken back with the goods."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self.dirhams: Counter[str] = Counter()  # by order, as the books say

    async def look(self) -> None:
        """A paid order was settled to the dirham, and none beyond its price."""
        ids = self._universe.trail.of("ord")
        found = await self._universe.db.all(_PRICES, ids=ids) if ids else []
        for order_id, status, total in found:
            settled = self.dirhams[order_id]
            assert settled <= total, f"{order_id}: {settled} settled of {total}"
            assert status not in CAPTURED or settled == total, (
                f"{order_id} is {status} with {settled} of {total}"
            )


_PROMOTIONS = Query(
    sa.select(promotions.c.id, promotions.c.used, promotions.c.usage_limit).where(
        in_list(promotions.c.id, "ids")
    ),
    row,
    across_stores=True,
)
_USES = Query(
    sa.select(
        order_promotions.c.promotion_id, order_promotions.c.is_counted, order_promotions.c.subjects
    ).where(
        in_list(order_promotions.c.promotion_id, "ids"),
        order_promotions.c.is_given_back == sa.literal_column("0"),
    ),
    lambda promotion_id, is_counted, subjects: (
        promotion_id,
        bool(is_counted),
        msgspec.json.decode(subjects, type=list[str]),
    ),
    across_stores=True,
)
_USED_BY = Query(
    sa.select(promotion_uses.c.promotion_id, promotion_uses.c.subject, promotion_uses.c.used).where(
        in_list(promotion_uses.c.promotion_id, "ids"), promotion_uses.c.used > 0
    ),
    row,
    across_stores=True,
)
_ALL_PROMOTIONS = Query(sa.select(promotions.c.id), str, across_stores=True)


class Promotions:
    """Uses of coupons and promotions: in all, and by each customer."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    async def look(self, ids: Sequence[str]) -> None:
        """What is counted is what orders use and have not given back, and no limit is passed."""
        if not ids:
            return
        db, of_orders, of_people = self._universe.db, Counter[str](), Counter[tuple[str, str]]()
        for promotion_id, is_counted, subjects in await db.all(_USES, ids=list(ids)):
            of_orders[promotion_id] += is_counted
            of_people.update((promotion_id, subject) for subject in subjects)
        for promotion_id, used, limit in await db.all(_PROMOTIONS, ids=list(ids)):
            expected = of_orders[promotion_id]
            assert used == expected, f"{promotion_id}: {used} uses counted, orders have {expected}"
            if limit is not None and promotion_id not in self._universe.relimited:
                assert used <= limit, f"{promotion_id}: {used} uses of {limit}"
        counted = {(one, who): n for one, who, n in await db.all(_USED_BY, ids=list(ids))}
        assert counted == dict(of_people), "customers' uses are counted otherwise than orders say"

    async def look_at_everything(self) -> None:
        """The same for all of them."""
        await self.look(await self._universe.db.all(_ALL_PROMOTIONS))


_PLACED_DRAFTS = Query(
    sa.select(draft_orders.c.id, draft_orders.c.order_id).where(
        in_list(draft_orders.c.id, "ids"), draft_orders.c.status == "placed"
    ),
    row,
    across_stores=True,
)
_BY_HAND = (order_history.c.event == "order.placed", order_history.c.note == CHANNEL)
_PLACED_BY_HAND = Query(
    sa.select(order_history.c.order_id).where(in_list(order_history.c.order_id, "ids"), *_BY_HAND),
    str,
    across_stores=True,
)
_ALL_PLACED_BY_HAND = Query(
    sa.select(order_history.c.order_id).where(*_BY_HAND), str, across_stores=True
)


class Drafts:
    """Which order each draft became."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._orders: dict[str, str] = {}  # by draft
        self._by_hand: set[str] = set()

    async def look(self) -> None:
        """A draft became one order and stays it; no order was placed by hand without its draft."""
        db, trail = self._universe.db, self._universe.trail
        if drafts := trail.of("drf"):
            for draft_id, order_id in await db.all(_PLACED_DRAFTS, ids=drafts):
                seen = self._orders.setdefault(draft_id, order_id)
                assert seen == order_id, f"{draft_id} became {order_id} after {seen}"
            self._by_hand.update(await db.all(_PLACED_BY_HAND, ids=trail.of("ord")))
        self._compare()

    async def look_at_everything(self) -> None:
        """Nor did it happen unseen."""
        self._by_hand = set(await self._universe.db.all(_ALL_PLACED_BY_HAND))
        self._compare()

    def _compare(self) -> None:
        became = list(self._orders.values())
        assert len(set(became)) == len(became), "one order of two drafts"
        assert set(became) == self._by_hand, "a draft placed twice, or not at all"


_PAYOUTS = Query(
    sa.select(
        payouts.c.id,
        payouts.c.store_id,
        payouts.c.status,
        payouts.c.amount_dirhams,
        payouts.c.requested_by,
        payouts.c.approved_by,
        payouts.c.paid_by,
    ).where(in_list(payouts.c.id, "ids")),
    row,
    across_stores=True,
)


class Payouts:
    """Every payout's store, status and amount."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._known: dict[str, tuple[int, str, int]] = {}
        self._open: Counter[int] = Counter()  # dirhams, by store

    async def look(self, sent: dict[int, int], owed: dict[int, int]) -> None:
        """Payouts take their steps in order and two people, and never more than is owed.

        Args:
            sent: dirhams that the step's postings sent to banks, by store.
            owed: what the platform owes each store after the step.
        """
        paid: Counter[int] = Counter()
        asked: set[int] = set()
        ids = self._universe.trail.of("pyo")
        found = await self._universe.db.all(_PAYOUTS, ids=ids) if ids else []
        for payout_id, store_id, status, dirhams, requested_by, approved_by, paid_by in found:
            _, before, amount = self._known.get(payout_id, (store_id, "", dirhams))
            assert amount == dirhams, f"{payout_id} became {dirhams} dirhams"
            if status == before:
                continue
            steps = _NEXT.get(before, set()) if before else {"requested"}
            assert status in steps, f"{payout_id} became {status} after {before}"
            if status == "paid":
                assert requested_by != approved_by != paid_by, f"{payout_id} took one person"
                paid[store_id] += dirhams
            if status == "requested":
                asked.add(store_id)
            self._open[store_id] += dirhams * ((status in _OPEN) - (before in _OPEN))
            self._known[payout_id] = store_id, status, dirhams
        assert {store: n for store, n in sent.items() if n} == dict(paid), "sent, but not paid out"
        for store_id in paid:
            assert owed[store_id] >= 0, f"store {store_id} was paid more than it was owed"
        for store_id in asked:
            waiting = self._open[store_id]
            assert waiting <= owed[store_id], f"{waiting} dirhams asked for, {owed[store_id]} owed"
