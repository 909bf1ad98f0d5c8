"""Drafts of orders: the store's people prepare, look at and place them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.drafts import sql as drafts
from eishro.domain.drafts.model import Draft, DraftItem, Status
from eishro.domain.orders.model import LINES_MAX
from eishro.domain.shipping.zones import Method
from eishro.errors import Words
from eishro.flows import draft_orders
from eishro.flows.draft_orders import Outlook, PlacedDraft
from eishro.web.access import order_token
from eishro.web.order_views import (
    CityView,
    OrderView,
    QuoteView,
    city_view,
    order_view,
    quote_view,
)
from eishro.web.orders import ItemBody, PaymentChoice
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import PageQuery, has_condition, refuse_stale
from eishro.web.wire import (
    CityName,
    Dinars,
    Email,
    Name,
    Note,
    Phone,
    ShortText,
    dinars,
    optional_dinars,
)


class DraftCustomerBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is known of who buys."""

    name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None


class DraftShippingBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is known of where it goes."""

    city: CityName | None = None
    address: (
        Annotated[
            str, Meta(min_length=1, max_length=300, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
        ]
        | None
    ) = None
    area: ShortText | None = None
    notes: Note | None = None
    method: Method = "standard"


class DraftBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members of a draft, all optional; on a change, what is not sent stays.

    `manualDiscount` is the merchant's own discount, `shippingCost` its own price of delivery.
    """

    items: Annotated[list[ItemBody], Meta(max_length=LINES_MAX)] | UnsetType = UNSET
    customer: DraftCustomerBody | UnsetType = UNSET
    shipping: DraftShippingBody | UnsetType = UNSET
    payment: PaymentChoice | None | UnsetType = UNSET
    coupon_code: ShortText | None | UnsetType = UNSET
    notes: Note | None | UnsetType = UNSET
    manual_discount: Dinars | None | UnsetType = UNSET
    shipping_cost: Dinars | None | UnsetType = UNSET
    note: Note | None | UnsetType = UNSET

    def members(self) -> dict[str, Any]:
        """Those of `Content` that were sent."""
        found: dict[str, Any] = {}
        if self.items is not UNSET:
            found["items"] = _items(self.items)
        if self.customer is not UNSET:
            found["customer_name"] = self.customer.name.strip() if self.customer.name else None
            found["customer_phone"] = self.customer.phone.number if self.customer.phone else None
            found["customer_email"] = self.customer.email.address if self.customer.email else None
        if self.shipping is not UNSET:
            found["city_code"] = self.shipping.city.code if self.shipping.city else None
            found["area"] = self.shipping.area
            found["address"] = self.shipping.address
            found["shipping_notes"] = self.shipping.notes
            found["shipping_method"] = self.shipping.method
        if self.payment is not UNSET:
            found["payment_method"] = self.payment.method if self.payment else None
        if self.coupon_code is not UNSET:
            found["coupon_code"] = self.coupon_code or None
        if self.notes is not UNSET:
            found["notes"] = self.notes
        if self.manual_discount is not UNSET:
            found["manual_discount_dirhams"] = _dirhams(self.manual_discount) or 0
        if self.shipping_cost is not UNSET:
            found["shipping_override_dirhams"] = _dirhams(self.shipping_cost)
        return found


class DraftItemView(msgspec.Struct, frozen=True, rename="camel"):
    """A position of a draft."""

    product_id: int
    quantity: int
    variant_id: int | None


class DraftCustomerView(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of the buyer."""

    name: str | None
    phone: str | None
    email: str | None


class DraftShippingView(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of the address."""

    city: CityView | None
    address: str | None
    area: str | None
    notes: str | None
    method: str


class ProblemView(msgspec.Struct, frozen=True, rename="camel"):
    """Why the draft cannot be placed yet: the member, if it is one, and what is wrong with it."""

    field: str | None
    code: str
    message: str


class DraftView(msgspec.Struct, frozen=True, rename="camel"):
    """A draft; `quote` and `problems` (as of now) where a single one is answered."""

    id: str
    store_id: int
    status: Status
    items: list[DraftItemView]
    customer: DraftCustomerView
    shipping: DraftShippingView
    payment_method: str | None
    coupon_code: str | None
    notes: str | None
    manual_discount: Decimal
    shipping_cost: Decimal | None
    note: str | None
    created_by: str
    order_id: str | None
    created_at: datetime
    updated_at: datetime
    quote: QuoteView | None | UnsetType = UNSET
    problems: list[ProblemView] | UnsetType = UNSET


class ManualOrderView(OrderView, frozen=True, rename="camel", omit_defaults=True):
    """The order of a draft. `paymentUrl` is the page where its buyer pays, if that is online;
    `accessToken` lets the buyer see the order.
    """

    payment_url: str | None = None


class DraftQuery(PageQuery, frozen=True, rename="camel"):
    """Which page of which drafts."""

    status: Literal["open", "placed"] = "open"


async def list_drafts(call: Call, query: DraftQuery) -> Reply:
    """The store's drafts, newest first."""
    db, offset = call.shop.db, (query.page - 1) * query.limit
    found = await drafts.list_drafts(db, call.store, query.status, query.limit, offset)
    total = await drafts.count_drafts(db, call.store, query.status)
    page = Page(query.page, query.limit, total)
    return Reply([draft_view(draft) for draft in found], page=page)


async def read_draft(call: Call) -> Reply:
    """One draft, with what it would cost now."""
    return await _reply(call, await _found(call))


async def create_draft(call: Call, body: DraftBody) -> Reply:
    """A new draft."""

    def view(draft: Draft) -> Reply:
        return Reply(draft_view(draft), status=201)

    once = call.once(view)
    note = None if body.note is UNSET else body.note
    made = await draft_orders.create_draft(
        call.shop, call.store, body.members(), note, call.actor, once
    )
    return once.reply(made)


async def change_draft(call: Call, body: DraftBody) -> Reply:
    """Change members of a draft."""
    await _refuse_stale(call)
    changed = await draft_orders.change_draft(
        call.shop, call.store, call.params["draft_id"], body.members(), body.note, call.actor
    )
    return await _reply(call, changed)


async def delete_draft(call: Call) -> Reply:
    """The draft is not needed."""
    await _refuse_stale(call)
    gone = await draft_orders.delete_draft(
        call.shop, call.store, call.params["draft_id"], call.actor
    )
    return Reply(draft_view(gone))


async def place_draft(call: Call) -> Reply:
    """The draft becomes an order."""

    def view(result: PlacedDraft) -> Reply:
        return Reply(
            _manual_order(call, result),
            status=201,
            message=Words("The order is placed.", "تم تسجيل الطلب."),
        )

    once = call.once(view)
    result = await draft_orders.place_draft(
        call.shop, call.store, call.params["draft_id"], call.actor, once
    )
    return once.reply(result)


async def _found(call: Call) -> Draft:
    return await drafts.get_draft(call.shop.db, call.store, call.params["draft_id"])


async def _reply(call: Call, draft: Draft) -> Reply:
    if draft.status != "open":
        return Reply(draft_view(draft))
    return Reply(draft_view(draft, await draft_orders.look(call.shop, draft), call.language))


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        refuse_stale(call, (await _reply(call, await _found(call))).data)


def _manual_order(call: Call, result: PlacedDraft) -> ManualOrderView:
    placed, payment = result.placed, result.payment
    view = order_view(
        placed.order,
        placed.lines,
        placed.history,
        payment.id if payment else None,
        token=order_token(call, placed.order.id),
    )
    members = {name: getattr(view, name) for name in view.__struct_fields__}
    url = f"{call.shop.rules.public_url}/pay/{payment.id}" if payment else None
    return ManualOrderView(**members, payment_url=url)


def draft_view(draft: Draft, outlook: Outlook | None = None, language: str = "") -> DraftView:
    """The draft as the API shows it, with what it would cost if `outlook` says that."""
    content = draft.content()
    quote: QuoteView | None | UnsetType = UNSET
    problems: list[ProblemView] | UnsetType = UNSET
    if outlook is not None:
        quote = quote_view(outlook.basket) if outlook.basket else None
        problems = [
            ProblemView(one.field, one.code, one.words.in_(language)) for one in outlook.problems
        ]
    return DraftView(
        id=draft.id,
        store_id=draft.store_id,
        status=draft.status,
        items=[DraftItemView(i.product_id, i.quantity, i.variant_id) for i in content.items],
        customer=DraftCustomerView(
            content.customer_name, content.customer_phone, content.customer_email
        ),
        shipping=DraftShippingView(
            city=city_view(content.city_code) if content.city_code else None,
            address=content.address,
            area=content.area,
            notes=content.shipping_notes,
            method=content.shipping_method,
        ),
        payment_method=content.payment_method,
        coupon_code=content.coupon_code,
        notes=content.notes,
        manual_discount=dinars(content.manual_discount_dirhams),
        shipping_cost=optional_dinars(content.shipping_override_dirhams),
        note=draft.note,
        created_by=draft.created_by,
        order_id=draft.order_id,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
        quote=quote,
        problems=problems,
    )


def _items(items: Sequence[ItemBody]) -> tuple[DraftItem, ...]:
    return tuple(DraftItem(item.product_id, item.quantity, item.variant_id) for item in items)


def _dirhams(amount: Dinars | None) -> int | None:
    return None if amount is None else amount.dirhams
