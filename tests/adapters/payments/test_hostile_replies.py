"""Every adapter whose gateway answers calls, against answers that are huge, slow, malformed,
redirected, of something else, or at odds with themselves: through the whole shop no order is paid
and no money moves, people find what was said, and the truth still counts once it is told.

What gateways that answer no call say (cards and T-Lync of Plutu) is signed: see
`test_plutu_callbacks.py`, and for all news `test_forged_news_moves_nothing` of the shared suite.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, get_args

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import list_exchanges
from eishro.domain.suspense import sql as suspense
from eishro.outward import HttpReply, NoReply, WebHttp
from tests.adapters.payments import plutu_cashier
from tests.adapters.payments.test_edfali_life import EdfaliCashier
from tests.adapters.payments.test_masarat_life import MasaratCashier
from tests.adapters.payments.test_moamalat_life import MoamalatCashier
from tests.adapters.payments.test_mobicash_life import MobicashCashier
from tests.adapters.payments.test_mpgs_life import MpgsCashier
from tests.adapters.payments.test_sadad_life import SadadCashier
from tests.adapters.payments.test_tlync_life import TlyncCashier
from tests.contracts.payment_life import Cashier, Till, open_till
from tests.shops import World

pytestmark = pytest.mark.anyio

_ENTRIES = Query(
    sa.select(ledger_entries.c.account, ledger_entries.c.dirhams).where(
        ledger_entries.c.order_id == sa.bindparam("order_id")
    ),
    lambda account, dirhams: (account, dirhams),
    across_stores=True,  # a test's look at the books
)
_FLAGS = Query(
    sa.select(audit_records.c.changes).where(
        audit_records.c.action == "payment.flagged",
        audit_records.c.subject_id == sa.bindparam("payment_id"),
    ),
    lambda changes: msgspec.json.decode(changes)["reason"],
    across_stores=True,  # a test's look at the trail
)
Kind = Literal[
    "huge",
    "slow",
    "malformed",
    "empty",
    "redirected",
    "another order",
    "another currency",
    "another merchant",
    "another amount",
    "contradicting",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Change = Callable[[str, Any], Any]

CASHIERS: dict[str, type[Cashier]] = {
    "edfali": EdfaliCashier,
    "masarat": MasaratCashier,
    "moamalat": MoamalatCashier,
    "mobicash": MobicashCashier,
    "mpgs": MpgsCashier,
    "plutu edfali": plutu_cashier.EdfaliCashier,
    "plutu sadad": plutu_cashier.CodeCashier,
    "sadad": SadadCashier,
    "tlync": TlyncCashier,
}
# What a gateway's answers have no place for, so that nobody can lie about it.
NOT_NAMED: dict[str, set[Kind]] = {
    "edfali": {"another order", "another currency", "another merchant", "another amount"},
    "masarat": {"another merchant"},
    "mobicash": {"another merchant"},
    "plutu edfali": {"another merchant"},
    "plutu sadad": {"another merchant"},
    "sadad": {"another merchant"},
}

# Money that came, says the gateway, but not as it was asked for: it waits in suspense, as it was
# told, and the payment is flagged.
STRANDED: set[tuple[str, Kind]] = {
    *((gateway, "another amount") for gateway in CASHIERS),
    ("moamalat", "another currency"),
}

# Of something else, or at odds with itself, in a way that its adapter can tell: people are told.
# A listing of Moamalat's without our order is one in which it is not (yet); an answer that says one
# member twice cannot be read at all; what follows a code that nobody answered is flagged anyway.
FLAGGED: set[tuple[str, Kind]] = {
    ("moamalat", "another merchant"),
    *(
        (gateway, kind)
        for gateway in ("mpgs", "tlync")
        for kind in get_args(Literal["another order", "another currency", "another merchant"])
    ),
}


def _each(value: Any, change: Change, name: str = "") -> Any:
    """The JSON value with every member as `change` has it."""
    if isinstance(value, list):
        return [_each(one, change, name) for one in value]
    if isinstance(value, dict):
        value = {inner: _each(found, change, inner) for inner, found in value.items()}
    return change(name, value)


def _foreign(name: str, value: Any) -> Any:
    """Another currency wherever one is named, or could be beside an amount."""
    if "currency" in name.lower():
        return "EUR"
    if isinstance(value, dict) and any("amount" in key.lower() for key in value):
        return {**value, "currency": "EUR"}
    return value


def _dearer(name: str, value: Any) -> Any:
    if "amount" not in name.lower() or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value:
        return value + 1
    is_number = isinstance(value, str) and re.fullmatch(r"[0-9.]+", value)
    return str(Decimal(value) + 1) if is_number else value


def _others(name: str, value: Any) -> Any:
    """Another merchant wherever one is named, or could be beside our reference."""
    if isinstance(value, dict) and "custom_ref" in value:
        return {**value, "store_id": "somebody else's"}
    is_theirs = re.fullmatch(r"(merchant|terminal)(_?id)?", name, re.IGNORECASE)
    return f"{value}9" if is_theirs and isinstance(value, str | int) else value


def _elsewhere(ours: str) -> Change:
    """Another order wherever ours is named, or could be beside a transaction."""

    def change(name: str, value: Any) -> Any:
        if isinstance(value, dict) and "transaction_id" in value:
            return {**value, "invoice_no": "ELSEWHERE"}
        if isinstance(value, dict) and "amount" in value and "transactionId" in value:
            # MobiCash, Masarat and Sadad, each in its own way.
            return {**value, "reference": "ELSEWHERE", "transactionId": "9" * 9}
        return value.replace(ours, "ELSEWHERE") if isinstance(value, str) else value

    return change


_TWICE = re.compile(rb'(\A\s*\{)("[^"]+":)')
_RESULT = re.compile(rb"<(\w+Result)>.*</\1>")


class Hostile:
    """The way to a gateway; while there is a `kind`, it brings back something else."""

    def __init__(self, http: WebHttp) -> None:
        self._http = http
        self.kind: Kind | None = None
        self.reference = ""
        self.lies = 0

    async def get(self, url: str, **more: Any) -> HttpReply:
        return self._lie(await self._http.get(url, **more), **more)

    async def send(self, method: Any, url: str, content: bytes, **more: Any) -> HttpReply:
        return self._lie(await self._http.send(method, url, content, **more), **more)

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        return self._lie(await self._http.post_json(url, body, **more), **more)

    async def post_form(self, url: str, form: Mapping[str, str], **more: Any) -> HttpReply:
        return self._lie(await self._http.post_form(url, form, **more), **more)

    def _lie(self, reply: HttpReply, *, limit_bytes: int = 4_000_000, **_: Any) -> HttpReply:
        if self.kind is None:
            return reply
        if self.kind == "slow":
            self.lies += 1
            raise NoReply("timed out", sent=True)
        if self.kind == "huge":  # which the port breaks off
            self.lies += 1
            raise NoReply(f"more than {limit_bytes} bytes", sent=True)
        told = self._told(reply)
        self.lies += told != reply
        return told

    def _told(self, reply: HttpReply) -> HttpReply:
        status, body = reply
        match self.kind:
            case "malformed":
                return HttpReply(status, body[: len(body) // 2])
            case "empty":
                return HttpReply(status, b"")
            case "redirected":
                return HttpReply(302, body)
            case "contradicting":
                twice = _TWICE.sub(rb'\1\2"x",\2', body)
                return HttpReply(status, _RESULT.sub(rb"\g<0><\1>LIM</\1>", twice))
        changes: dict[Kind | None, Change] = {
            "another order": _elsewhere(self.reference),
            "another currency": _foreign,
            "another merchant": _others,
            "another amount": _dearer,
        }
        try:
            found = json.loads(body)
        except ValueError:
            return reply
        changed = _each(found, changes[self.kind])
        return reply if changed == found else HttpReply(status, json.dumps(changed).encode())


@pytest.mark.parametrize("gateway", CASHIERS)
async def test_a_hostile_answer_moves_no_money_and_is_found_by_people(
    world: World, gateway: str
) -> None:
    lied = set()
    async with open_till(world, CASHIERS[gateway]()) as till:
        http = Hostile(till.http)
        till.restart(http)
        for kind in KINDS:
            if kind in NOT_NAMED.get(gateway, ()):
                continue
            payment = await till.start()
            before = await payments.get_payment(world.db, payment["id"])
            noted = await _noted(till)
            http.reference, http.kind, http.lies = before.reference, kind, 0
            await till.act(payment, "pay")
            if "query" in till.cashier.features:
                await till.look(payment["id"])
            assert http.lies > 0, kind
            lied.add(kind)
            is_stranded = (gateway, kind) in STRANDED
            await _moved_nothing(till, before.id, kind, is_stranded=is_stranded)
            await _is_flagged_once(till, before.id, gateway, kind)
            assert await _noted(till) > noted, kind
            http.kind = None
            if "query" in till.cashier.features and not is_stranded:
                await till.look(before.id)  # once it is told what is true, that counts
                assert (await till.payment(before.id))["status"] == "paid", kind
        assert await find_faults(world.db) == []
    assert lied | NOT_NAMED.get(gateway, set()) == set(KINDS)


async def _noted(till: Till) -> int:
    """How much an operator finds in the log of the order."""
    order = await orders.get_order(till.world.db, till.order_id)
    return (await list_exchanges(till.world.db, order.store_id, order.id, 100, 0))[1]


async def _is_flagged_once(till: Till, payment_id: str, gateway: str, kind: Kind) -> None:
    """What people have to look at is marked, told and written down, however often it is said."""
    db = till.world.db
    if "query" in till.cashier.features:
        await till.look(payment_id)
    payment = await payments.get_payment(db, payment_id)
    told = await db.all(_FLAGS, payment_id=payment_id)
    if payment.code_tries and payment.review == "no_answer":
        assert told == ["no_answer"], kind
    elif (gateway, kind) in FLAGGED:
        assert (payment.review, told) == ("foreign_answer", ["foreign_answer"]), kind
    elif (gateway, kind) not in STRANDED:
        assert (payment.review, told) == (None, []), kind


async def _moved_nothing(till: Till, payment_id: str, kind: Kind, *, is_stranded: bool) -> None:
    """The order waits for its money; what came otherwise is in suspense and nowhere else."""
    db = till.world.db
    order = await orders.get_order(db, till.order_id)
    assert (order.paid_dirhams, order.payment_status) == (0, "pending"), kind
    payment = await payments.get_payment(db, payment_id)
    receipts = await payments.list_receipts(db, payment_id)
    moved = dict(await db.all(_ENTRIES, order_id=order.id))
    items, _ = await suspense.list_items(db, order.store_id, 100, 0, waiting=True)
    if is_stranded:
        assert [(one.applied, one.reason) for one in receipts] == [(False, "amount_differs")]
        assert payment.review == "amount_differs"
        assert moved[payment.account] == -moved["suspense"] == receipts[0].amount_dirhams
        assert [(item.payment_id, item.currency) for item in items] == [
            (payment_id, receipts[0].currency)
        ]
        return
    assert receipts == [], kind
    assert items == [], kind
    assert not {payment.account, "suspense"} & moved.keys(), kind
    if payment.code_tries:  # it may have been charged: people look, nobody pays twice
        assert (payment.status, payment.review) == ("unknown", "no_answer"), kind
    else:
        assert payment.status in ("action_required", "processing"), kind
