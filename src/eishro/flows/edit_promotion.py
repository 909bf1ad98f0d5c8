"""Add, change and delete coupons and automatic promotions.

Read and guarded: the promotion by its version; for automatic ones also the store's row, whose
version moves, so that orders priced from what was remembered of the store are priced again. That
makes their number exact; the number of coupons may be exceeded by those that come at once.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.catalog import sql as catalog
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts.model import WHOLE_BP, Kind, Scope
from eishro.domain.discounts.promotion import (
    AUTOMATIC_MAX,
    COUPONS_MAX,
    Promotion,
    clean_code,
    code_key,
)
from eishro.domain.stores import sql as stores
from eishro.errors import Conflict, Invalid, Words
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id

_OF_SETS = ("buy_quantity", "get_quantity", "uses_per_order_max")
_THOUSANDTHS_IN_BP = 10  # 12.5 % is 12500 thousandths and 1250 basis points


class PromotionChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members to begin with or to change; unset ones stay. `value` is in thousandths: of a dinar
    (so dirhams), or of a percent.
    """

    code: str | UnsetType = UNSET
    name: str | None | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    value: int | None | UnsetType = UNSET
    buy_quantity: int | None | UnsetType = UNSET
    get_quantity: int | None | UnsetType = UNSET
    uses_per_order_max: int | None | UnsetType = UNSET
    starts_at: datetime | None | UnsetType = UNSET
    ends_at: datetime | None | UnsetType = UNSET
    minimum_dirhams: int | None | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    usage_limit: int | None | UnsetType = UNSET
    per_customer_limit: int | None | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    is_stackable: bool | UnsetType = UNSET


@again_if_stale
async def create_promotion(
    shop: Shop,
    store_id: int,
    change: PromotionChange,
    actor: Actor,
    once: Once,
    *,
    is_coupon: bool,
) -> Promotion:
    """A new coupon or automatic promotion.

    Raises:
        Invalid, CodeTaken, idempotency.AlreadyClaimed.
        Conflict: the store has too many.
    """
    at = shop.clock.now()
    empty = Promotion.blank(text_id("prm", at), store_id, at)
    promotion = await _changed(shop, empty, change, at)
    guard = await _guard(shop, promotion, at, is_new=True, is_coupon=is_coupon)
    await shop.db.commit(
        Batch(*once.claim(promotion)).add(
            *guard,
            discounts.insert_promotion(promotion),
            audit.record(
                actor,
                "promotion.created",
                promotion.id,
                at,
                store_id=store_id,
                code=promotion.code,
                kind=promotion.kind,
                value=promotion.value,
            ),
        )
    )
    return promotion


@again_if_stale
async def update_promotion(
    shop: Shop,
    store_id: int,
    promotion_id: str,
    change: PromotionChange,
    actor: Actor,
    check: Callable[[Promotion], None],
    *,
    is_coupon: bool,
) -> Promotion:
    """Change it; `check` is called with what is there. Orders that are placed keep what they got.

    Raises:
        PromotionNotFound, Invalid, CodeTaken.
        Conflict: the store has too many active ones.
    """
    at = shop.clock.now()
    seen = await discounts.get_promotion(shop.db, store_id, promotion_id, is_coupon=is_coupon)
    check(seen)
    after = await _changed(shop, seen, change, at)
    is_new = after.is_active and (not seen.is_active or _is_over(seen, at))
    guard = await _guard(shop, after, at, is_new=is_new, is_coupon=is_coupon)
    await shop.db.commit(
        Batch().add(
            *guard,
            discounts.save_promotion(after, seen=seen),
            audit.record(
                actor,
                "promotion.changed",
                seen.id,
                at,
                store_id=store_id,
                **audit.difference(seen, after),
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def delete_promotion(
    shop: Shop, store_id: int, promotion_id: str, actor: Actor, *, is_coupon: bool
) -> Promotion:
    """Delete it; its code is free again, and what used it is still known.

    Raises:
        PromotionNotFound
    """
    at = shop.clock.now()
    seen = await discounts.get_promotion(shop.db, store_id, promotion_id, is_coupon=is_coupon)
    after = msgspec.structs.replace(seen, is_active=False, updated_at=at, deleted_at=at)
    guard = await _guard(shop, after, at, is_new=False, is_coupon=is_coupon)
    await shop.db.commit(
        Batch().add(
            *guard,
            discounts.save_promotion(after, seen=seen),
            audit.record(
                actor, "promotion.deleted", seen.id, at, store_id=store_id, code=seen.code
            ),
        )
    )
    return after


async def _guard(
    shop: Shop, after: Promotion, at: datetime, *, is_new: bool, is_coupon: bool
) -> list[Statement]:
    """For an automatic one, move the store's version; one more must not be one too many."""
    if is_coupon:
        if is_new:
            count = await discounts.count_promotions(shop.db, after.store_id, is_coupon=True)
            _refuse_too_many(count, COUPONS_MAX)
        return []
    store = await stores.get_store(shop.db, after.store_id)
    if is_new and after.is_active and not _is_over(after, at):
        live = await discounts.list_automatic(shop.db, after.store_id, at)
        _refuse_too_many(len(live), AUTOMATIC_MAX)
    return [stores.touch(store)]


def _refuse_too_many(count: int, limit: int) -> None:
    if count >= limit:
        raise Conflict(
            Words(
                f"The store has {limit} of these already; delete or end some first.",
                f"في المتجر {limit} منها بالفعل؛ احذف بعضها أو أنهها أولا.",
            )
        )


def _is_over(promotion: Promotion, at: datetime) -> bool:
    return promotion.ends_at is not None and promotion.ends_at <= at


async def _changed(shop: Shop, seen: Promotion, change: PromotionChange, at: datetime) -> Promotion:
    """What it becomes.

    Raises:
        Invalid: every fault at once.
    """
    faults: dict[str, Words] = {}
    members: dict[str, object] = {
        name: value
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET and name not in ("value", "scope", "code")
    }
    if change.kind not in (UNSET, "buy_x_get_y"):
        # Another kind has no sets: what is left of them goes, unless it was sent along.
        members = {**dict.fromkeys(_OF_SETS, None), **members}
    if change.code is not UNSET:
        members["code"] = clean_code(change.code)
        members["code_key"] = code_key(change.code)
        if members["code"] is None:
            faults["code"] = Words(
                "must be 2 to 40 letters and digits, Latin or Arabic, perhaps with - or _",
                "يجب أن يكون من 2 إلى 40 حرفا ورقما، لاتينيا أو عربيا، وقد تتخلله - أو _",
            )
    if change.scope is not UNSET:
        faults |= await _faults_of_scope(shop, seen.store_id, change.scope)
        members["scope"] = msgspec.Raw(msgspec.json.encode(change.scope))
    after = msgspec.structs.replace(seen, updated_at=at, **members)
    value = _value(seen, after.kind, change, faults)
    _check_sets(after, faults)
    if after.starts_at and after.ends_at and after.ends_at <= after.starts_at:
        faults["endsAt"] = Words("must be after startsAt", "يجب أن يكون بعد startsAt")
    if faults:
        raise Invalid(faults)
    return msgspec.structs.replace(after, value=value)


def _value(seen: Promotion, kind: Kind, change: PromotionChange, faults: dict[str, Words]) -> int:
    """Basis points or dirhams; buy X, get Y is free of charge unless a percentage is told."""
    told = None if change.value is UNSET else change.value
    if kind == "free_shipping":
        if told:
            faults["value"] = Words("has no place here", "لا مكان له هنا")
        return 0
    if told is None:
        if change.value is UNSET and kind == seen.kind and seen.value > 0:
            return seen.value
        if kind == "buy_x_get_y":
            return WHOLE_BP
        faults["value"] = Words("is required", "مطلوب")
        return 0
    if kind == "fixed":
        if told <= 0:
            faults["value"] = Words(
                "must be an amount in dinars above 0", "يجب أن يكون مبلغا بالدينار أكبر من صفر"
            )
        return told
    points, rest = divmod(told, _THOUSANDTHS_IN_BP)
    if rest or not 0 < points <= WHOLE_BP:
        faults["value"] = Words(
            "must be a percentage above 0 and up to 100, with at most 2 decimals",
            "يجب أن يكون نسبة مئوية أكبر من صفر وحتى 100، وبخانتين عشريتين على الأكثر",
        )
    return points


def _check_sets(after: Promotion, faults: dict[str, Words]) -> None:
    """Members of buy X, get Y: required there, out of place elsewhere."""
    for field, value, is_required in (
        ("buyQuantity", after.buy_quantity, True),
        ("getQuantity", after.get_quantity, True),
        ("usesPerOrderMax", after.uses_per_order_max, False),
    ):
        if after.kind == "buy_x_get_y" and value is None and is_required:
            faults[field] = Words("is required", "مطلوب")
        elif after.kind != "buy_x_get_y" and value is not None:
            faults[field] = Words("belongs to buy_x_get_y alone", "يخص buy_x_get_y وحده")


async def _faults_of_scope(shop: Shop, store_id: int, scope: Scope) -> dict[str, Words]:
    """Ids of what the store does not have are mistakes, and would never fit anything."""
    faults: dict[str, Words] = {}
    if (scope.kind == "all") != (not scope.ids):
        faults["scope.ids"] = (
            Words("has no place with kind all", "لا مكان له مع النوع all")
            if scope.ids
            else Words("is required", "مطلوب")
        )
    named = {
        "scope.ids": scope.ids if scope.kind == "products" else (),
        "scope.excludedProducts": scope.excluded_product_ids,
    }
    wanted = sorted({one for ids in named.values() for one in ids})
    known = await catalog.find_product_ids(shop.db, store_id, wanted) if wanted else set()
    faults |= _unknown(named, known, Words("The store has no such product.", "لا يوجد منتج كهذا."))
    shelved = {
        "scope.ids": scope.ids if scope.kind == "categories" else (),
        "scope.excludedCategories": scope.excluded_category_ids,
    }
    if any(shelved.values()):
        categories = {one.id for one in await stores.list_categories(shop.db, store_id)}
        no_category = Words("The store has no such category.", "لا يوجد قسم كهذا في المتجر.")
        faults |= _unknown(shelved, categories, no_category)
    return faults


def _unknown(named: dict[str, tuple[int, ...]], known: set[int], words: Words) -> dict[str, Words]:
    return {
        f"{field}[{at}]": words
        for field, ids in named.items()
        for at, one in enumerate(ids)
        if one not in known
    }
