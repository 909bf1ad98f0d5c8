"""Refunds of orders: opening them, following them, and finishing those that people do by hand."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from eishro.domain.orders.model import LINES_MAX, QUANTITY_MAX
from eishro.domain.payments import refunds_sql
from eishro.domain.payments.refund_amounts import RefundWanted, WantedLine
from eishro.domain.payments.refunds import Refund, RefundKind, RefundStatus, Through
from eishro.errors import Invalid, Words
from eishro.flows import refund_order
from eishro.flows.send_refund import send_refund
from eishro.web.routes import Call, Page, Reply
from eishro.web.wire import VISIBLE, Dinars, IntegerId, Note, ShortText, dinars

Reason = Annotated[str, Meta(min_length=1, max_length=300, pattern=VISIBLE)]


class Amount(Dinars):
    """An amount of more than nothing."""

    __slots__ = ()
    expected = Words(
        "must be an amount in dinars: a number above 0 with at most 3 decimals",
        "يجب أن يكون مبلغا بالدينار: عددا أكبر من صفر وبثلاث خانات عشرية على الأكثر",
    )
    schema: ClassVar[dict[str, Any]] = {**Dinars.schema, "minimum": 0.001}

    @classmethod
    def parse(cls, value: object) -> Self:
        found = super().parse(value)
        if found.dirhams == 0:
            raise ValueError(cls.expected.en)
        return found


class RefundLineBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Pieces of a line, named by its `position` in the order (from 0) or by its `variantId`."""

    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    position: Annotated[int, Meta(ge=0, le=LINES_MAX)] | None = None
    variant_id: IntegerId | None = None


class RefundBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What goes back: an `amount`, pieces of `lines`, the `delivery`, or all that is left. With
    lines or delivery, `amount` is what is paid of their worth.
    """

    reason: Reason
    amount: Amount | None = None
    lines: Annotated[list[RefundLineBody], Meta(min_length=1, max_length=LINES_MAX)] | None = None
    delivery: bool = False


class RefundDoneBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How it was done; `through` the `gateway` means its own portal, anything else is `cash`."""

    note: Note
    reference: ShortText | None = None
    through: Literal["gateway", "cash"] = "cash"


class RefundRetryBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Nothing to say."""


class RefundQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Filter and page of a list."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    status: RefundStatus | None = None


class RefundLineView(msgspec.Struct, frozen=True, rename="camel"):
    """Pieces of a line in an answer, with their part of the amount."""

    position: int
    variant_id: int
    quantity: int
    amount: Decimal


class RefundView(msgspec.Struct, frozen=True, rename="camel"):
    """A refund in an answer. `reference` is the gateway's, or what people wrote down."""

    id: str
    order_id: str
    store_id: int
    payment_id: str | None
    status: RefundStatus
    kind: RefundKind
    amount: Decimal
    goods: Decimal
    delivery: Decimal
    currency: str
    lines: list[RefundLineView]
    reason: str
    provider: str | None
    through: Through | None
    reference: str | None
    failure: str | None
    note: str | None
    requested_by: str
    completed_by: str | None
    attempts: int
    next_try_at: datetime | None
    created_at: datetime
    updated_at: datetime


class OpenedRefundView(RefundView, frozen=True, rename="camel"):
    """A refund that was just opened. Where the money goes back through several payments, there are
    more of them: `further`.
    """

    further: list[RefundView]


async def open_one(call: Call, body: RefundBody) -> Reply:
    """A new refund; it is sent right after the answer. Where no single payment has enough, there is
    one for each payment.
    """

    def view(opened: list[Refund]) -> Reply:
        return Reply(
            opened_view(opened),
            status=201,
            message=Words("The refund is on its way.", "الاسترجاع قيد التنفيذ."),
        )

    once = call.once(view)
    wanted = _wanted(body)
    opened = await refund_order.open_refunds(
        call.shop, call.params["order_id"], wanted, call.actor, once
    )
    for refund in opened:
        _send(call, refund)
    return once.reply(opened)


async def list_of_order(call: Call) -> Reply:
    """The order's refunds, oldest first."""
    order_id = call.params["order_id"]
    found = await refunds_sql.list_refunds_of_order(call.shop.db, call.store, order_id)
    return Reply([refund_view(refund) for refund in found])


async def list_of_store(call: Call, query: RefundQuery) -> Reply:
    """The store's refunds, newest first; `status=manual` are tasks for people."""
    db, offset = call.shop.db, (query.page - 1) * query.limit
    found = await refunds_sql.list_refunds_of_store(
        db, call.store, query.status, query.limit, offset
    )
    total = await refunds_sql.count_refunds_of_store(db, call.store, query.status)
    page = Page(query.page, query.limit, total)
    return Reply([refund_view(refund) for refund in found], page=page)


async def complete(call: Call, body: RefundDoneBody) -> Reply:
    """People have given the money back."""
    refund = await refund_order.complete_refund(
        call.shop,
        call.params["order_id"],
        call.params["refund_id"],
        note=body.note,
        reference=body.reference,
        through=body.through,
        actor=call.actor,
    )
    return Reply(refund_view(refund))


async def retry(call: Call, body: RefundRetryBody) -> Reply:
    """Send a refused refund once more."""
    del body
    refund = await refund_order.retry_refund(
        call.shop, call.params["order_id"], call.params["refund_id"], call.actor
    )
    _send(call, refund)
    return Reply(refund_view(refund))


def _send(call: Call, refund: Refund) -> None:
    if refund.status == "requested":
        call.door.background(send_refund(call.shop, refund.id))


def _wanted(body: RefundBody) -> RefundWanted:
    """The wish, in dirhams.

    Raises:
        Invalid: a line that is not named.
    """
    faults = {}
    for number, line in enumerate(body.lines or ()):
        if line.position is None and line.variant_id is None:
            faults[f"lines[{number}].position"] = Words(
                "name the line by position or variantId", "حدد البند بموضعه أو بمعرف الخيار"
            )
    if faults:
        raise Invalid(faults)
    return RefundWanted(
        reason=body.reason,
        amount_dirhams=body.amount.dirhams if body.amount else None,
        lines=tuple(WantedLine(ln.quantity, ln.position, ln.variant_id) for ln in body.lines or ()),
        delivery=body.delivery,
    )


def opened_view(opened: list[Refund]) -> OpenedRefundView:
    """The first of them, with the others."""
    first, *others = opened
    return OpenedRefundView(
        **msgspec.structs.asdict(refund_view(first)), further=[refund_view(one) for one in others]
    )


def refund_view(refund: Refund) -> RefundView:
    """The refund as the API shows it."""
    return RefundView(
        id=refund.id,
        order_id=refund.order_id,
        store_id=refund.store_id,
        payment_id=refund.payment_id,
        status=refund.status,
        kind=refund.kind,
        amount=dinars(refund.amount_dirhams),
        goods=dinars(refund.goods_dirhams),
        delivery=dinars(refund.delivery_dirhams),
        currency="LYD",
        lines=[
            RefundLineView(ln.position, ln.variant_id, ln.quantity, dinars(ln.dirhams))
            for ln in refund.lines_value()
        ],
        reason=refund.reason,
        provider=refund.provider,
        through=refund.through,
        reference=refund.provider_reference,
        failure=refund.failure,
        note=refund.note,
        requested_by=refund.requested_by,
        completed_by=refund.completed_by,
        attempts=refund.attempts,
        next_try_at=refund.next_try_at,
        created_at=refund.created_at,
        updated_at=refund.updated_at,
    )
