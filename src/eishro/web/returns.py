"""Returns and exchanges: asked for by buyers, decided and received by the store's people."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.orders.model import LINES_MAX, QUANTITY_MAX
from eishro.domain.returns import sql as returns
from eishro.domain.returns.model import Asked, Outcome, Return, ReturnLine, Status, Wish
from eishro.flows import return_goods
from eishro.flows.return_goods import AskReturn, WholeReturn
from eishro.web.access import may
from eishro.web.orders import ItemBody
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import PageQuery
from eishro.web.wire import IntegerId, Note, dinars

_Lines = Meta(min_length=1, max_length=LINES_MAX)


class ReturnLineBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What comes back of one line of the order, known by its variant."""

    variant_id: IntegerId
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    reason: Note | None = None


class ReturnBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A return; with `replacement` it is an exchange."""

    lines: Annotated[list[ReturnLineBody], _Lines]
    reason: Note | None = None
    replacement: Annotated[list[ItemBody], Meta(max_length=LINES_MAX)] = []


class DecisionBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why."""

    note: Note | None = None


class ReceivedLineBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What becomes of one line."""

    variant_id: IntegerId
    outcome: Outcome


class ReceiveBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What becomes of the goods; a line that is not named is restocked."""

    lines: Annotated[list[ReceivedLineBody], Meta(max_length=LINES_MAX)] = []
    note: Note | None = None


class ReturnLineView(msgspec.Struct, frozen=True, rename="camel"):
    """One line in an answer; `amount` is what it is worth, fixed once it was received."""

    variant_id: int
    name: str
    quantity: int
    reason: str | None
    outcome: Outcome | None
    amount: Decimal


class WishView(msgspec.Struct, frozen=True, rename="camel"):
    """What is wanted in exchange."""

    product_id: int
    variant_id: int | None
    quantity: int


class ReturnView(msgspec.Struct, frozen=True, rename="camel"):
    """A return in an answer. `refund` is what the goods are worth: an estimate until `received`.

    `difference` of an approved exchange is what its order costs more than that; below 0, less.
    """

    id: str
    order_id: str
    store_id: int
    status: Status
    reason: str | None
    decision: str | None
    lines: list[ReturnLineView]
    refund: Decimal
    replacement: list[WishView]
    replacement_order_id: str | None
    difference: Decimal | None
    created_at: datetime
    updated_at: datetime


class ReturnQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which returns of a store, and which page of them."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    status: Status | None = None


async def request(call: Call, body: ReturnBody) -> Reply:
    """Ask to return or exchange; a buyer within the time for it."""
    command = AskReturn(
        order_id=call.params["order_id"],
        lines=tuple(Asked(line.variant_id, line.quantity, line.reason) for line in body.lines),
        reason=body.reason,
        replacement=tuple(
            Wish(item.product_id, item.variant_id, item.quantity) for item in body.replacement
        ),
        is_buyer=not may(call, "orders:write"),
    )

    def view(whole: WholeReturn) -> Reply:
        return Reply(return_view(whole.made, whole.lines), status=201)

    once = call.once(view)
    return once.reply(await return_goods.request_return(call.shop, command, call.actor, once))


async def list_of_order(call: Call, query: PageQuery) -> Reply:
    """The order's returns, oldest first."""
    offset = (query.page - 1) * query.limit
    found, total = await returns.list_of_order(
        call.shop.db, call.store, call.params["order_id"], query.limit, offset
    )
    return await _list(call, found, Page(query.page, query.limit, total))


async def list_of_store(call: Call, query: ReturnQuery) -> Reply:
    """The store's returns, newest first."""
    offset = (query.page - 1) * query.limit
    found, total = await returns.list_of_store(
        call.shop.db, call.store, query.status, query.limit, offset
    )
    return await _list(call, found, Page(query.page, query.limit, total))


async def approve(call: Call, body: DecisionBody) -> Reply:
    """Agree; an exchange places the other order."""
    return _reply(
        await return_goods.approve_return(
            call.shop, call.params["return_id"], call.actor, body.note
        )
    )


async def reject(call: Call, body: DecisionBody) -> Reply:
    """Refuse."""
    return _reply(
        await return_goods.reject_return(call.shop, call.params["return_id"], call.actor, body.note)
    )


async def receive(call: Call, body: ReceiveBody) -> Reply:
    """The goods are here."""
    outcomes = {line.variant_id: line.outcome for line in body.lines}
    return _reply(
        await return_goods.receive_return(
            call.shop, call.params["return_id"], outcomes, call.actor, body.note
        )
    )


async def _list(call: Call, found: Sequence[Return], page: Page) -> Reply:
    lines = await returns.list_lines(call.shop.db, call.store, [one.id for one in found])
    return Reply([return_view(one, lines[one.id]) for one in found], page=page)


def _reply(whole: WholeReturn) -> Reply:
    return Reply(return_view(whole.made, whole.lines))


def return_view(made: Return, lines: Sequence[ReturnLine]) -> ReturnView:
    """The return as the API shows it."""
    worth = sum(line.amount_dirhams for line in lines)
    costs = made.replacement_dirhams
    return ReturnView(
        id=made.id,
        order_id=made.order_id,
        store_id=made.store_id,
        status=made.status,
        reason=made.reason,
        decision=made.decision,
        lines=[
            ReturnLineView(
                line.variant_id,
                line.name,
                line.quantity,
                line.reason,
                line.outcome,
                dinars(line.amount_dirhams),
            )
            for line in lines
        ],
        refund=dinars(worth),
        replacement=[WishView(w.product_id, w.variant_id, w.quantity) for w in made.wishes()],
        replacement_order_id=made.replacement_order_id,
        difference=None if costs is None else dinars(costs - worth),
        created_at=made.created_at,
        updated_at=made.updated_at,
    )
