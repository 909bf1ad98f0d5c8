"""A store's customers, made from its orders: lists, orders of one, erasing one."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.orders import buyers
from eishro.domain.orders.buyers import Buyer
from eishro.domain.orders.listing import OrderFilter
from eishro.flows import erase_person
from eishro.flows.erase_person import CustomerNotFound
from eishro.phones import normalise_phone
from eishro.web.orders import OrderQuery, list_page
from eishro.web.routes import Call, Page, Reply
from eishro.web.wire import VISIBLE, ShortText, dinars

Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=VISIBLE)]


class BuyerQuery(msgspec.Struct, frozen=True, rename="camel"):
    """`q` is a telephone, its beginning, or a whole name; `cursor` (of a former answer) replaces
    `page`.
    """

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(pattern=r"^\+[0-9]{3,20}$")] | None = None
    q: ShortText | None = None


class ErasureBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why; it stands in the audit trail for good, so it names nobody."""

    reason: Reason


class BuyerView(msgspec.Struct, frozen=True, rename="camel"):
    """A customer of a store: a telephone that ordered. `spent` counts orders that were paid or
    delivered and neither cancelled nor sent back; `refusedCod` parcels that came back unpaid.
    """

    phone: str
    name: str
    orders: int
    spent: Decimal
    currency: str
    refused_cod: int
    last_order_id: str
    last_order_at: datetime


class ErasedView(msgspec.Struct, frozen=True, rename="camel"):
    """How many orders lost their buyer."""

    orders: int


async def list_customers(call: Call, query: BuyerQuery) -> Reply:
    """The store's customers by telephone."""
    offset = 0 if query.cursor else (query.page - 1) * query.limit
    q = query.q.strip() if query.q and query.q.strip() else None
    found, total = await buyers.list_buyers(
        call.shop.db, call.store, query.limit, offset, query.cursor or "", q
    )
    following = found[-1].phone if len(found) == query.limit else None
    page = Page(query.page, query.limit, total, following)
    return Reply([_view(buyer) for buyer in found], page=page)


async def list_orders(call: Call, query: OrderQuery) -> Reply:
    """The orders of one of the store's customers, newest first."""
    wanted = OrderFilter(store_id=call.store, customer_phone=_phone_in_path(call))
    return await list_page(call, query, wanted)


async def erase(call: Call, body: ErasureBody) -> Reply:
    """Take a customer out of the store's finished orders."""
    erased = await erase_person.erase_customer(
        call.shop, call.store, _phone_in_path(call), body.reason, call.actor
    )
    return Reply(ErasedView(erased))


def _phone_in_path(call: Call) -> str:
    phone = normalise_phone(call.params["phone"])
    if phone is None:
        raise CustomerNotFound()
    return phone


def _view(buyer: Buyer) -> BuyerView:
    return BuyerView(
        phone=buyer.phone,
        name=buyer.name,
        orders=buyer.orders,
        spent=dinars(buyer.spent_dirhams),
        currency="LYD",
        refused_cod=buyer.refused_cod,
        last_order_id=buyer.last_order_id,
        last_order_at=buyer.last_order_at,
    )
