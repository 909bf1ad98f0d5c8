"""What holds after every step, whatever happened, and what holds when all has come to rest.

After a step only what the step can have touched is looked at again: the ledger's new transactions,
the (few) variants, the orders that still hold goods. `cli/doctor.py` looks at everything now and
then, and at the end.
"""

from typing import Any

import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query, in_list
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.sql import order_lines, orders
from eishro.domain.payments.sql import payment_receipts, payments
from eishro.domain.stock.sql import stock
from eishro.ids import text_id
from tests.simulation.universe import Universe

_WHOLE_LOOK_EVERY = 500  # steps
_HOLDING = ["pending", "confirmed", "processing"]
_OPEN = ["created", "action_required", "processing", "unknown"]


def _row(*values: Any) -> tuple[Any, ...]:
    return values


_NEW_ENTRIES = Query(
    sa.select(ledger_entries.c.transaction_id, ledger_entries.c.account, ledger_entries.c.dirhams)
    .where(
        ledger_entries.c.store_id == sa.bindparam("store_id"),
        ledger_entries.c.transaction_id >= sa.bindparam("since"),
    )
    .order_by(ledger_entries.c.transaction_id),
    _row,
)
_STOCK = Query(
    sa.select(stock.c.variant_id, stock.c.available, stock.c.held, stock.c.sold).where(
        stock.c.store_id == sa.bindparam("store_id")
    ),
    _row,
)
_HELD = Query(
    sa.select(order_lines.c.variant_id, sa.func.sum(order_lines.c.quantity))
    .select_from(orders.join(order_lines, order_lines.c.order_id == orders.c.id))
    .where(
        orders.c.store_id == sa.bindparam("store_id"),
        in_list(orders.c.status, "holding"),
    )
    .group_by(order_lines.c.variant_id),
    _row,
)
_ACCOUNTS = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams)).group_by(
        ledger_entries.c.account
    ),
    _row,
    across_stores=True,
)
_RECEIPTS = Query(
    sa.select(payment_receipts.c.provider_reference, payment_receipts.c.amount_dirhams),
    _row,
    across_stores=True,
)
_WAITING = Query(
    sa.select(sa.func.count()).select_from(orders).where(orders.c.expires_at.is_not(None)),
    int,
    across_stores=True,
)
_OPEN_ATTEMPTS = Query(
    sa.select(sa.func.count())
    .select_from(payments)
    .where(in_list(payments.c.status, "open"), payments.c.review.is_(None)),
    int,
    across_stores=True,
)


class Watch:
    """Keeps the sums of what was seen, so that a step's check costs the same early and late."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._accounts: dict[str, int] = {}
        self._pieces: dict[int, int] = {}
        self._steps = 0
        self._since = ""

    def begin(self) -> None:
        """A step begins: ids made from now on sort behind all before."""
        self._since = text_id("trn", self._universe.clock.now())[:-16]
        self._universe.recounted = False

    async def look(self) -> None:
        """The step is over."""
        for store_id in self._universe.stores:
            await self._look_at_entries(store_id)
            await self._look_at_stock(store_id)
        self._look_at_money()
        self._steps += 1
        if self._steps % _WHOLE_LOOK_EVERY == 0:
            await self.look_at_everything()

    async def _look_at_entries(self, store_id: int) -> None:
        sums: dict[str, int] = {}
        rows = await self._universe.db.all(_NEW_ENTRIES, store_id=store_id, since=self._since)
        for transaction, account, dirhams in rows:
            sums[transaction] = sums.get(transaction, 0) + dirhams
            self._accounts[account] = self._accounts.get(account, 0) + dirhams
        assert not any(sums.values()), f"unbalanced transactions: {sums}"

    async def _look_at_stock(self, store_id: int) -> None:
        rows = await self._universe.db.all(_STOCK, store_id=store_id)
        held = dict(await self._universe.db.all(_HELD, store_id=store_id, holding=_HOLDING))
        for variant, available, reserved, sold in rows:
            assert reserved == held.get(variant, 0), f"variant {variant}: {reserved} held"
            assert reserved >= 0 and sold >= 0
            if available is None:
                continue
            assert available >= 0, f"variant {variant}: {available} available"
            pieces = available + reserved + sold
            if not self._universe.recounted:
                seen = self._pieces.get(variant, pieces)
                assert pieces == seen, f"variant {variant}: {pieces} pieces, {seen} before"
            self._pieces[variant] = pieces

    def _look_at_money(self) -> None:
        """No more is booked than payers paid, and nothing is owed less than nothing."""
        of = self._accounts.get
        assert of("clearing:moamalat", 0) <= self._universe.gateway.total_taken
        assert of("suspense", 0) <= 0
        assert of("refunds_due", 0) <= 0

    async def look_at_everything(self) -> None:
        """What `eishro doctor` would say, and whether the kept sums are the real ones."""
        assert await find_faults(self._universe.db) == []
        real = {name: int(dirhams) for name, dirhams in await self._universe.db.all(_ACCOUNTS)}
        seen = self._accounts
        assert real == seen, f"entries came outside a step: {real} {seen}"

    async def look_at_rest(self) -> None:
        """Everything has ended: what payers paid is in the books, to the dirham."""
        universe = self._universe
        await self.look_at_everything()
        receipts = dict(await universe.db.all(_RECEIPTS))
        truth = {one.number: one.dirhams for one in universe.gateway.taken}
        assert receipts == truth, "money that the books do not know, or know otherwise"
        assert self._accounts.get("clearing:moamalat", 0) == universe.gateway.total_kept
        assert await universe.db.one(_WAITING) == 0, "a hold that does not end"
        assert await universe.db.one(_OPEN_ATTEMPTS, open=_OPEN) == 0, (
            "an attempt that does not end"
        )
