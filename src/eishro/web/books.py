"""The ledger as a store sees it: transactions, balances, statements; and the commission, which
admins set.
"""

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from eishro.clock import TRIPOLI
from eishro.domain.ledger import reading
from eishro.domain.ledger.model import Entry, MonthAhead, Statement
from eishro.domain.ledger.reading import LedgerFilter
from eishro.domain.stores import sql as stores
from eishro.errors import Words
from eishro.flows.pay_out import Funds, read_funds
from eishro.flows.set_commission import commission_bp_of, set_commission
from eishro.web.admin import Reason
from eishro.web.routes import Call, Page, Raw, Reply
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import Instant, WireType, dinars, in_words

Account = Annotated[str, Meta(max_length=60, pattern=r"^[a-z_]+(:[a-z0-9_-]+)?$")]
OrderId = Annotated[str, Meta(max_length=40, pattern=r"^ord_[0-9a-z]{1,36}$")]
TransactionId = Annotated[str, Meta(pattern=r"^trn_[0-9a-z]{26}$")]
Month = Annotated[
    str,
    Meta(
        pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$",
        extra=in_words("must be a month such as 2026-01", "يجب أن يكون شهرا مثل 2026-01"),
    ),
]
Format = Literal["json", "csv"]


class Percent(WireType):
    """A percentage from 0 to 100 with at most 2 decimals, kept as basis points."""

    __slots__ = ("basis_points",)
    expected = Words(
        "must be a percentage: a number from 0 to 100 with at most 2 decimals",
        "يجب أن يكون نسبة مئوية: عددا من 0 إلى 100 وبخانتين عشريتين على الأكثر",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "multipleOf": 0.01,
        "examples": [2.5],
    }

    def __init__(self, basis_points: int) -> None:
        self.basis_points = basis_points

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(cls.expected.en)  # noqa: TRY004 - msgspec wants ValueError
        amount = Decimal(value)
        # Compared before anything is computed with it: an exponent may be huge.
        if not (amount.is_finite() and 0 <= amount <= 100) or amount != round(amount, 2):
            raise ValueError(cls.expected.en)
        return cls(int(amount * 100))


class LedgerQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which transactions; `cursor` is the last answer's `nextCursor`. `to` is not included."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: TransactionId | None = None
    account: Account | None = None
    order: OrderId | None = None
    from_: Instant | None = msgspec.field(name="from", default=None)
    to: Instant | None = None


class StatementQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which month, in Libyan time, and as what."""

    month: Month
    format: Format = "json"


class CommissionBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The store's rate from now on (null: the platform's), and why."""

    percent: Percent | None
    reason: Reason


class EntryView(msgspec.Struct, frozen=True, rename="camel"):
    """One line; a debit is positive."""

    account: str
    amount: Decimal


class TransactionView(msgspec.Struct, frozen=True, rename="camel"):
    """What happened, and its entries, which sum to zero."""

    id: str
    reason: str
    order_id: str | None
    payment_id: str | None
    at: datetime
    entries: list[EntryView]


class BalancesView(msgspec.Struct, frozen=True, rename="camel"):
    """Every account that is not at zero. `owed` is what the platform owes the store, `open` what
    is asked for already, `available` what may be asked for.
    """

    balances: list[EntryView]
    owed: Decimal
    open: Decimal
    available: Decimal
    currency: str


class MovementView(msgspec.Struct, frozen=True, rename="camel"):
    """What happened to one account for one reason."""

    reason: str
    account: str
    amount: Decimal


class StatementView(msgspec.Struct, frozen=True, rename="camel"):
    """A month: where the accounts stood, what happened, where they stand."""

    month: str
    opening: list[EntryView]
    movements: list[MovementView]
    closing: list[EntryView]
    currency: str


class CommissionView(msgspec.Struct, frozen=True, rename="camel"):
    """The rate of new orders; `isOwn` tells a store's own from the platform's."""

    store_id: int
    percent: Decimal
    is_own: bool


async def list_transactions(call: Call, query: LedgerQuery) -> Reply:
    """The store's transactions, newest first."""
    wanted = LedgerFilter(
        store_id=call.store,
        account=query.account,
        order_id=query.order,
        since=query.from_.at if query.from_ else None,
        until=query.to.at if query.to else None,
        below=query.cursor,
    )
    found = await reading.list_transactions(call.shop.db, wanted, query.limit)
    total = await reading.count_transactions(call.shop.db, wanted)
    more = found[-1][0].transaction_id if len(found) == query.limit else None
    views = [_transaction_view(entries) for entries in found]
    return Reply(views, page=Page(1, query.limit, total, more))


async def read_balances(call: Call) -> Reply:
    """Where the store's accounts stand now."""
    return Reply(_balances_view(await read_funds(call.shop, call.store)))


async def read_statement(call: Call, query: StatementQuery) -> Reply | Raw:
    """One month of the store."""
    year, month = map(int, query.month.split("-"))
    since = datetime(year, month, 1, tzinfo=TRIPOLI)
    if since > call.door.clock.now():
        raise MonthAhead()
    until = (since + timedelta(days=32)).replace(day=1)
    statement = await reading.read_statement(call.shop.db, call.store, since, until)
    if query.format == "csv":
        name = f"statement-{call.store}-{query.month}.csv"
        return Raw(
            _csv(query.month, statement),
            "text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return Reply(
        StatementView(
            month=query.month,
            opening=_lines(statement.opening),
            movements=[
                MovementView(one.reason, one.account, dinars(one.dirhams))
                for one in statement.movements
            ],
            closing=_lines(statement.closing),
            currency="LYD",
        )
    )


async def change_commission(call: Call, body: CommissionBody) -> Reply:
    """Give the store a rate of its own, or the platform's again."""
    if has_condition(call):
        refuse_stale(call, await _commission_view(call))
    rate = None if body.percent is None else body.percent.basis_points
    await set_commission(call.shop, call.store, rate, body.reason, call.actor)
    return Reply(await _commission_view(call))


async def read_commission(call: Call) -> Reply:
    """The rate of the store's new orders."""
    return Reply(await _commission_view(call))


async def _commission_view(call: Call) -> CommissionView:
    store = await stores.get_store(call.shop.db, call.store)
    rate = Decimal(commission_bp_of(call.shop, store)).scaleb(-2)
    return CommissionView(store.id, rate, store.commission_bp is not None)


def _transaction_view(entries: list[Entry]) -> TransactionView:
    first = entries[0]
    return TransactionView(
        id=first.transaction_id,
        reason=first.reason,
        order_id=first.order_id,
        payment_id=first.payment_id,
        at=first.at,
        entries=[EntryView(one.account, dinars(one.dirhams)) for one in entries],
    )


def _balances_view(funds: Funds) -> BalancesView:
    return BalancesView(
        balances=_lines(funds.balances),
        owed=dinars(funds.owed_dirhams),
        open=dinars(funds.open_dirhams),
        available=dinars(funds.available_dirhams),
        currency="LYD",
    )


def _lines(balances: dict[str, int]) -> list[EntryView]:
    return [EntryView(account, dinars(dirhams)) for account, dirhams in balances.items()]


def _csv(month: str, statement: Statement) -> bytes:
    """One row an amount; accounts and reasons are ours, so no cell can be a formula."""
    rows = io.StringIO()
    out = csv.writer(rows, lineterminator="\r\n")
    out.writerow(["month", "part", "reason", "account", "amount"])
    for account, dirhams in statement.opening.items():
        out.writerow([month, "opening", "", account, dinars(dirhams)])
    for one in statement.movements:
        out.writerow([month, "movement", one.reason, one.account, dinars(one.dirhams)])
    for account, dirhams in statement.closing.items():
        out.writerow([month, "closing", "", account, dinars(dirhams)])
    return rows.getvalue().encode()
