"""After every step: what came less what went back is the net of paid orders plus suspense.

Counted twice and independently: gateways' receipts and refunds with the cash that couriers took on
one side, the orders' own counters and the books on the other.
"""

from collections import Counter

import sqlalchemy as sa

from eishro.db.statements import Query, in_list
from eishro.domain.orders.sql import orders
from eishro.domain.payments.refunds_sql import refunds
from eishro.domain.payments.sql import payment_receipts
from eishro.domain.suspense.sql import suspense_items
from tests.simulation.touched import row
from tests.simulation.universe import Universe

Receipt = tuple[str, str, str]  # provider, terminal, the gateway's number

_RECEIPTS = Query(
    sa.select(
        payment_receipts.c.provider,
        payment_receipts.c.terminal,
        payment_receipts.c.provider_reference,
        payment_receipts.c.amount_dirhams,
    ).where(in_list(payment_receipts.c.payment_id, "ids")),
    row,
    across_stores=True,
)
_REFUNDS = Query(
    sa.select(
        refunds.c.id,
        refunds.c.provider,
        refunds.c.terminal,
        refunds.c.receipt_reference,
        refunds.c.amount_dirhams,
        refunds.c.status,
        refunds.c.kind,
        refunds.c.through,
        refunds.c.provider_reference,
    ).where(in_list(refunds.c.id, "ids")),
    row,
    across_stores=True,
)
_ITEMS = Query(
    sa.select(suspense_items.c.id, suspense_items.c.amount_dirhams, suspense_items.c.status).where(
        in_list(suspense_items.c.id, "ids")
    ),
    row,
    across_stores=True,
)
_ORDERS = Query(
    sa.select(orders.c.id, orders.c.paid_dirhams, orders.c.refunded_dirhams).where(
        in_list(orders.c.id, "ids")
    ),
    row,
    across_stores=True,
)


class Money:
    """Sums of all money, kept from step to step."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._seen = 0  # transactions of the gateway that are in `_truth`
        self._truth: dict[str, int] = {}
        self._came: dict[Receipt, int] = {}
        self._asked: Counter[Receipt] = Counter()  # what refunds of a receipt come to
        self._refunds: dict[str, tuple[str, str, int]] = {}  # status, kind, dirhams
        self._numbers: dict[str, str] = {}  # the refund that a number of the gateway was booked as
        self._of_orders: dict[str, int] = {}
        self._items: dict[str, int] = {}  # in suspense
        self._net = 0  # what paid orders keep
        self._aside = 0  # of money in suspense and too much, what is opened and not back yet
        self._received: Counter[str] = Counter()  # by provider
        self._gone: Counter[str] = Counter()  # through the gateway, by provider
        self._left = 0  # all that went back, through a gateway or by hand
        self.collected = 0  # by couriers, as the books say

    async def look(self, accounts: Counter[str]) -> None:
        """Both sides say the same.

        Args:
            accounts: the books' balances of all stores together.
        """
        await self._follow_receipts()
        await self._follow_refunds()
        await self._follow_orders()
        await self._follow_items()
        waiting = sum(self._items.values())
        assert waiting == -accounts["suspense"], f"{waiting} wait in suspense, the books differ"
        for provider in self._received:
            kept = self._received[provider] - self._gone[provider]
            booked = accounts[f"clearing:{provider}"]
            assert kept == booked, f"{provider} has {kept}, the books say {booked}"
        came = sum(self._received.values()) + self.collected - self._left
        kept = self._net - accounts["suspense"] + self._aside
        assert came == kept, f"{came} came and stayed, orders and suspense have {kept}"

    async def _follow_receipts(self) -> None:
        taken = self._universe.gateway.taken
        for one in taken[self._seen :]:
            self._truth[one.number] = one.dirhams
        self._seen = len(taken)
        ids = self._universe.trail.of("pay")
        found = await self._universe.db.all(_RECEIPTS, ids=ids) if ids else []
        for provider, terminal, number, dirhams in found:
            key = provider, terminal, number
            if key not in self._came:
                paid = self._truth.get(number)
                assert paid == dirhams, f"{number}: {dirhams} booked, {paid} paid"
                self._came[key] = dirhams
                self._received[provider] += dirhams
            assert self._came[key] == dirhams, f"{number} became {dirhams}"

    async def _follow_refunds(self) -> None:
        ids = self._universe.trail.of("ref")
        found = await self._universe.db.all(_REFUNDS, ids=ids) if ids else []
        for refund_id, provider, terminal, number, dirhams, status, kind, through, under in found:
            key = provider, terminal, number
            is_new = refund_id not in self._refunds
            was, was_kind, _ = self._refunds.get(refund_id, ("", kind, dirhams))
            self._refunds[refund_id] = status, kind, dirhams
            assert was != "done" or (status, kind) == (was, was_kind), f"{refund_id} was done"
            if kind == "exchange":
                continue  # it pays another order
            if is_new and key in self._came:
                self._asked[key] += dirhams
                assert self._asked[key] <= self._came[key], f"more of {key} goes back than came"
            is_done = status == "done" != was
            if kind in ("suspense", "excess"):
                self._aside += dirhams * (is_new - is_done)
            if is_done:
                self._left += dirhams
                self._leave(refund_id, str(provider), (through, under, dirhams))

    def _leave(self, refund_id: str, provider: str, way: tuple[str, str | None, int]) -> None:
        through, number, dirhams = way
        if through != "gateway":
            return
        self._gone[provider] += dirhams
        assert number is not None
        given = self._universe.gateway.given.get(number, ("", 0))[1]
        assert given == dirhams, f"{refund_id}: {dirhams} booked as gone, {given} given"
        first = self._numbers.setdefault(number, refund_id)
        assert first == refund_id, f"{number} of the gateway is {first} and {refund_id}"

    async def _follow_orders(self) -> None:
        ids = self._universe.trail.of("ord")
        found = await self._universe.db.all(_ORDERS, ids=ids) if ids else []
        for order_id, paid, refunded in found:
            assert 0 <= refunded <= paid, f"{order_id}: {refunded} of {paid} went back"
            self._net += paid - refunded - self._of_orders.get(order_id, 0)
            self._of_orders[order_id] = paid - refunded

    async def _follow_items(self) -> None:
        ids = self._universe.trail.of("sus")
        found = await self._universe.db.all(_ITEMS, ids=ids) if ids else []
        for item_id, dirhams, status in found:
            self._items[item_id] = 0 if status == "resolved" else dirhams

    def look_at_rest(self) -> None:
        """Nothing that is owed to a buyer is still on its way."""
        under_way = {one: s for one, (s, _, _) in self._refunds.items() if s != "done"}
        assert not under_way, f"refunds that do not end: {under_way}"
