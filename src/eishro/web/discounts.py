"""Coupons and automatic promotions: for the store's people."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Kind, Scope, ScopeKind
from eishro.domain.discounts.promotion import (
    LIMIT_MAX,
    PIECES_MAX,
    SCOPE_IDS_MAX,
    Promotion,
)
from eishro.errors import Words
from eishro.flows import edit_promotion
from eishro.flows.edit_promotion import PromotionChange
from eishro.web.routes import Call, Handler, Page, Raw, Reply
from eishro.web.stores import PageQuery, refuse_stale
from eishro.web.wire import Dinars, Instant, IntegerId, Name, dinars, optional_dinars


class Worth(Dinars):
    """What a discount is worth: dinars or percent, by its kind."""

    expected = Words(
        "must be a number from 0 with at most 3 decimals: dinars, or percent with at most 2",
        "يجب أن يكون عددا من صفر فأكثر وبثلاث خانات عشرية على الأكثر: دينارا أو نسبة مئوية بخانتين",
    )
    schema: ClassVar[dict[str, Any]] = {**Dinars.schema, "examples": [12.5]}


Code = Annotated[str, Meta(min_length=1, max_length=80)]
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Pieces = Annotated[int, Meta(ge=1, le=PIECES_MAX)]
Priority = Annotated[int, Meta(ge=-1_000, le=1_000)]
Ids = Annotated[list[IntegerId], Meta(max_length=SCOPE_IDS_MAX)]


class ScopeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which goods a discount is for; `ids` are products or categories, by `kind`."""

    kind: ScopeKind = "all"
    ids: Ids = []
    excluded_products: Ids = []
    excluded_categories: Ids = []

    def value(self) -> Scope:
        """As the domain keeps it."""
        return Scope(
            self.kind,
            tuple(dict.fromkeys(self.ids)),
            tuple(dict.fromkeys(self.excluded_products)),
            tuple(dict.fromkeys(self.excluded_categories)),
        )


class _Terms(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What coupons and promotions have in common; `value` is a percentage, dinars, or nothing, by
    `kind`.
    """

    kind: Kind
    value: Worth | None = None
    buy_quantity: Pieces | None = None
    get_quantity: Pieces | None = None
    uses_per_order_max: Limit | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    minimum: Dinars | None = None
    scope: ScopeBody = ScopeBody()
    usage_limit: Limit | None = None
    per_customer_limit: Limit | None = None
    active: bool = True
    stackable: bool = True


class CouponBody(_Terms, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A new coupon; `value` is a percentage, dinars, or nothing, by `kind`."""

    code: Code
    name: Name | None = None


class PromotionBody(_Terms, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A new automatic promotion; higher priority is applied first."""

    name: Name
    priority: Priority = 0


class _Changes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members of both that can be changed; the others stay."""

    kind: Kind | UnsetType = UNSET
    value: Worth | None | UnsetType = UNSET
    buy_quantity: Pieces | None | UnsetType = UNSET
    get_quantity: Pieces | None | UnsetType = UNSET
    uses_per_order_max: Limit | None | UnsetType = UNSET
    starts_at: Instant | None | UnsetType = UNSET
    ends_at: Instant | None | UnsetType = UNSET
    minimum: Dinars | None | UnsetType = UNSET
    scope: ScopeBody | UnsetType = UNSET
    usage_limit: Limit | None | UnsetType = UNSET
    per_customer_limit: Limit | None | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    stackable: bool | UnsetType = UNSET


class CouponChangeBody(_Changes, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    code: Code | UnsetType = UNSET
    name: Name | None | UnsetType = UNSET


class PromotionChangeBody(_Changes, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET


class ScopeView(msgspec.Struct, frozen=True, rename="camel"):
    """Which goods, in an answer; it can be sent back as it is."""

    kind: ScopeKind
    ids: tuple[int, ...]
    excluded_products: tuple[int, ...]
    excluded_categories: tuple[int, ...]


class DiscountView(msgspec.Struct, frozen=True, rename="camel"):
    """What coupons and promotions have in common; `used` counts orders that were not cancelled."""

    id: str
    name: str | None
    kind: Kind
    value: Decimal
    buy_quantity: int | None
    get_quantity: int | None
    uses_per_order_max: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    minimum: Decimal | None
    scope: ScopeView
    usage_limit: int | None
    per_customer_limit: int | None
    used: int
    active: bool
    stackable: bool
    created_at: datetime
    updated_at: datetime


class CouponView(DiscountView, frozen=True, rename="camel", kw_only=True):
    """A coupon in an answer."""

    code: str


class PromotionView(DiscountView, frozen=True, rename="camel", kw_only=True):
    """An automatic promotion in an answer."""

    priority: int


_Body = CouponBody | CouponChangeBody | PromotionBody | PromotionChangeBody


async def _list(call: Call, query: PageQuery, *, is_coupon: bool) -> Reply:
    """The store's, newest first."""
    page, total = await discounts.list_promotions(
        call.shop.db,
        call.store,
        is_coupon=is_coupon,
        limit=query.limit,
        offset=(query.page - 1) * query.limit,
    )
    used = await uses.count_used(call.shop.db, page)
    views = [_view(one, used[one.id]) for one in page]
    return Reply(views, page=Page(query.page, query.limit, total))


async def _create(call: Call, body: CouponBody | PromotionBody, *, is_coupon: bool) -> Reply:
    """A new one."""

    def view(made: Promotion) -> Reply:
        return Reply(_view(made, 0), status=201)

    once = call.once(view)
    made = await edit_promotion.create_promotion(
        call.shop, call.store, _change(body), call.actor, once, is_coupon=is_coupon
    )
    return once.reply(made)


async def _read(call: Call, *, is_coupon: bool) -> Reply:
    """One of them."""
    found = await discounts.get_promotion(
        call.shop.db, call.store, _id(call, is_coupon=is_coupon), is_coupon=is_coupon
    )
    return Reply(_view(found, await _used(call, found)))


async def _update(
    call: Call, body: CouponChangeBody | PromotionChangeBody, *, is_coupon: bool
) -> Reply:
    """Change members of one."""
    promotion_id = _id(call, is_coupon=is_coupon)
    seen = await discounts.get_promotion(
        call.shop.db, call.store, promotion_id, is_coupon=is_coupon
    )
    used = await _used(call, seen)

    def check(found: Promotion) -> None:
        refuse_stale(call, _view(found, used if found.usage_limit is None else found.used))

    after = await edit_promotion.update_promotion(
        call.shop, call.store, promotion_id, _change(body), call.actor, check, is_coupon=is_coupon
    )
    return Reply(_view(after, await _used(call, after)))


async def _delete(call: Call, *, is_coupon: bool) -> Reply:
    """Delete one."""
    gone = await edit_promotion.delete_promotion(
        call.shop, call.store, _id(call, is_coupon=is_coupon), call.actor, is_coupon=is_coupon
    )
    return Reply(_view(gone, await _used(call, gone)))


def _of_both(handler: Handler, of_coupons: str, of_promotions: str) -> tuple[Handler, Handler]:
    """The handler for coupons and the one for automatic promotions, by their names."""

    def named(name: str, *, is_coupon: bool) -> Handler:
        async def handle(call: Call, **sent: Any) -> Reply | Raw:
            return await handler(call, **sent, is_coupon=is_coupon)

        handle.__name__ = name
        return handle

    return named(of_coupons, is_coupon=True), named(of_promotions, is_coupon=False)


list_coupons, list_promotions = _of_both(_list, "list_coupons", "list_promotions")
create_coupon, create_promotion = _of_both(_create, "create_coupon", "create_promotion")
read_coupon, read_promotion = _of_both(_read, "read_coupon", "read_promotion")
update_coupon, update_promotion = _of_both(_update, "update_coupon", "update_promotion")
delete_coupon, delete_promotion = _of_both(_delete, "delete_coupon", "delete_promotion")


async def _used(call: Call, promotion: Promotion) -> int:
    return (await uses.count_used(call.shop.db, [promotion]))[promotion.id]


def _id(call: Call, *, is_coupon: bool) -> str:
    return call.params["coupon_id" if is_coupon else "promotion_id"]


def _change(body: _Body) -> PromotionChange:
    """The members that were sent, as the flow takes them."""
    sent = msgspec.structs.asdict(body)
    for wire, own in (("active", "is_active"), ("stackable", "is_stackable")):
        sent[own] = sent.pop(wire)
    for name in ("starts_at", "ends_at"):
        moment = sent[name]
        sent[name] = moment.at if isinstance(moment, Instant) else moment
    worth, minimum, scope = sent["value"], sent.pop("minimum"), sent["scope"]
    sent["value"] = worth.dirhams if isinstance(worth, Worth) else worth
    sent["minimum_dirhams"] = minimum.dirhams if isinstance(minimum, Dinars) else minimum
    sent["scope"] = scope.value() if isinstance(scope, ScopeBody) else scope
    return PromotionChange(**sent)


def _view(one: Promotion, used: int) -> CouponView | PromotionView:
    scope = one.scope_value()
    is_percent = one.kind in ("percent", "buy_x_get_y")
    members: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "value": Decimal(one.value).scaleb(-2) if is_percent else dinars(one.value),
        "buy_quantity": one.buy_quantity,
        "get_quantity": one.get_quantity,
        "uses_per_order_max": one.uses_per_order_max,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "minimum": optional_dinars(one.minimum_dirhams),
        "scope": ScopeView(
            scope.kind, scope.ids, scope.excluded_product_ids, scope.excluded_category_ids
        ),
        "usage_limit": one.usage_limit,
        "per_customer_limit": one.per_customer_limit,
        "used": used,
        "active": one.is_active,
        "stackable": one.is_stackable,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
    if one.code is not None:
        return CouponView(code=one.code, **members)
    return PromotionView(priority=one.priority, **members)
