"""What holds after every step, whatever happened, and what holds when all has come to rest.

After a step only what the step can have touched is looked at again: the ledger's new transactions,
and what `touched.py` reads. `cli/doctor.py` looks at everything now and then, and at the end, and
so do the sums that are kept here: a change that no batch named would show.
"""

import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.cli.doctor_shipping import SETTLING
from eishro.db.statements import Query, in_list
from eishro.domain.ledger.model import owed_of
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.sql import orders
from eishro.domain.payments.refunds_sql import refunds
from eishro.domain.payments.sql import payment_receipts, payments
from eishro.ids import first_id
from tests.simulation.ears import Ears
from tests.simulation.touched import Drafts, Holds, Payouts, Promotions, Settled, row
from tests.simulation.universe import Universe

_WHOLE_LOOK_EVERY = 500  # steps
_OPEN = ["created", "action_required", "processing", "unknown"]

_NEW_ENTRIES = Query(
    sa.select(
        ledger_entries.c.transaction_id,
        ledger_entries.c.account,
        ledger_entries.c.dirhams,
        ledger_entries.c.reason,
        ledger_entries.c.order_id,
    )
    .where(
        ledger_entries.c.store_id == sa.bindparam("store_id"),
        ledger_entries.c.transaction_id >= sa.bindparam("since"),
    )
    .order_by(ledger_entries.c.transaction_id),
    row,
)
_ACCOUNTS = Query(
    sa.select(
        ledger_entries.c.store_id, ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams)
    ).group_by(ledger_entries.c.store_id, ledger_entries.c.account),
    lambda store_id, account, dirhams: ((store_id, account), int(dirhams)),
    across_stores=True,
)
_RECEIPTS = Query(
    sa.select(payment_receipts.c.provider_reference, payment_receipts.c.amount_dirhams),
    row,
    across_stores=True,
)
_GIVEN_BACK = Query(
    sa.select(refunds.c.provider_reference, refunds.c.receipt_reference, refunds.c.amount_dirhams)
    .where(refunds.c.status == "done", refunds.c.through == "gateway")
    .order_by(refunds.c.id),
    row,
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

    def __init__(self, universe: Universe, ears: Ears) -> None:
        self._universe = universe
        self._ears = ears
        self._accounts: dict[tuple[int, str], int] = {}  # dirhams, by store
        self._settled = Settled(universe)
        self._holds = Holds(universe)
        self._promotions = Promotions(universe)
        self._drafts = Drafts(universe)
        self._payouts = Payouts(universe)
        self._steps = 0
        self._since = ""

    def begin(self) -> None:
        """A step begins: ids made from now on sort behind all before."""
        self._since = first_id("trn", self._universe.clock.now())
        self._universe.recounted = False
        self._universe.trail.begin()

    async def look(self) -> None:
        """The step is over."""
        universe = self._universe
        if universe.trail.batches:
            sent = {store_id: await self._look_at_entries(store_id) for store_id in universe.stores}
            await self._payouts.look(sent, {one: self._owed(one) for one in universe.stores})
            await self._settled.look()
            await self._holds.look()
            await self._promotions.look(universe.trail.of("prm"))
            await self._drafts.look()
        self._look_at_money()
        assert not self._ears.faults, f"the background met a fault: {self._ears.faults}"
        self._steps += 1
        if self._steps % _WHOLE_LOOK_EVERY == 0:
            await self.look_at_everything()

    async def _look_at_entries(self, store_id: int) -> int:
        """Every new transaction sums to zero.

        Returns: dirhams that went to the store's bank.
        """
        sums: dict[str, int] = {}
        sent = 0
        rows = await self._universe.db.all(_NEW_ENTRIES, store_id=store_id, since=self._since)
        for transaction, account, dirhams, reason, order_id in rows:
            sums[transaction] = sums.get(transaction, 0) + dirhams
            key = store_id, account
            self._accounts[key] = self._accounts.get(key, 0) + dirhams
            sent += dirhams if account == "bank" else 0
            if account == "receivable" and reason in SETTLING:
                self._settled.dirhams[order_id] -= dirhams
        assert not any(sums.values()), f"unbalanced transactions: {sums}"
        return sent

    def _owed(self, store_id: int) -> int:
        return owed_of(
            {name: n for (store, name), n in self._accounts.items() if store == store_id}
        )

    def _sum(self, account: str) -> int:
        """Of all stores."""
        return sum(self._accounts.get((store_id, account), 0) for store_id in self._universe.stores)

    def _look_at_money(self) -> None:
        """No more is booked than payers paid, and nothing is owed less than nothing."""
        gateway = self._universe.gateway
        assert self._sum("clearing:moamalat") <= gateway.total_taken, "more booked than was paid"
        assert gateway.total_kept >= 0, "more went back than came"
        assert not gateway.overdrawn, f"more went back than came: {gateway.overdrawn}"
        assert self._sum("suspense") <= 0, "more left suspense than came"
        assert self._sum("refunds_due") <= 0, "more went back than was due"

    async def look_at_everything(self) -> None:
        """What `eishro doctor` would say, and whether the kept sums are the real ones."""
        faults = await find_faults(self._universe.db)
        assert not faults, f"the doctor finds {faults}"
        real = dict(await self._universe.db.all(_ACCOUNTS))
        seen = self._accounts
        assert real == seen, f"entries came outside a step: {real} {seen}"
        await self._holds.look_at_everything()
        await self._promotions.look_at_everything()
        await self._drafts.look_at_everything()

    async def look_at_rest(self) -> None:
        """Everything has ended: what payers paid is in the books, to the dirham, and all that went
        back went back once.
        """
        universe = self._universe
        await self.look_at_everything()
        receipts = dict(await universe.db.all(_RECEIPTS))
        truth = {one.number: one.dirhams for one in universe.gateway.taken}
        unlike = sorted(truth.items() ^ receipts.items())
        assert not unlike, f"money that the books do not know, or know otherwise: {unlike}"
        back = [(number, (of, n)) for number, of, n in await universe.db.all(_GIVEN_BACK)]
        assert len(dict(back)) == len(back), "one refund of the gateway in two of ours"
        unlike_back = sorted(universe.gateway.given.items() ^ set(back))
        assert not unlike_back, (
            f"refunds that the books do not know, or know otherwise: {unlike_back}"
        )
        assert self._sum("clearing:moamalat") == universe.gateway.total_kept, "money adrift"
        assert await universe.db.one(_WAITING) == 0, "a hold that does not end"
        assert await universe.db.one(_OPEN_ATTEMPTS, open=_OPEN) == 0, (
            "an attempt that does not end"
        )
