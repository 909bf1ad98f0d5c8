"""The table of coupons and promotions and its statements; their uses are in `uses.py`."""

from datetime import datetime

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Flag, Id, Int, Json, Moment, Text
from eishro.domain.discounts.model import CouponUnusable, Rule
from eishro.domain.discounts.promotion import (
    AUTOMATIC_MAX,
    CodeTaken,
    Promotion,
    PromotionNotFound,
    code_key,
)
from eishro.errors import Stale

promotions = table(
    "promotions",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("code", Text),
    sa.Column("code_key", Text),
    sa.Column("name", Text),
    sa.Column("kind", Text, nullable=False),
    sa.Column("value", Int, nullable=False),
    sa.Column("buy_quantity", Int),
    sa.Column("get_quantity", Int),
    sa.Column("uses_per_order_max", Int),
    sa.Column("starts_at", Moment),
    sa.Column("ends_at", Moment),
    sa.Column("minimum_dirhams", Int),
    sa.Column("scope", Json, nullable=False),
    sa.Column("usage_limit", Int),
    sa.Column("per_customer_limit", Int),
    sa.Column("is_active", Flag, nullable=False),
    sa.Column("priority", Int, nullable=False),
    sa.Column("is_stackable", Flag, nullable=False),
    sa.Column("used", Int, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("deleted_at", Moment),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.CheckConstraint("used >= 0", name="used"),
    sa.CheckConstraint("kind IN ('percent', 'fixed', 'free_shipping', 'buy_x_get_y')", name="kind"),
    sa.Index(
        "uq_promotions_code",
        "store_id",
        "code_key",
        unique=True,
        sqlite_where=sa.text("code_key IS NOT NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("code_key IS NOT NULL AND deleted_at IS NULL"),
    ),
    # A store may have thousands of coupons; its few automatic promotions are read for every price.
    sa.Index(
        "ix_promotions_automatic",
        "store_id",
        "id",
        sqlite_where=sa.text("code_key IS NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("code_key IS NULL AND deleted_at IS NULL"),
    ),
    with_rowid=False,
)

_COLUMNS = columns_of(promotions, Promotion)
_OF_STORE = (
    promotions.c.store_id == sa.bindparam("store_id"),
    promotions.c.deleted_at.is_(None),
)
_BY_ID = Query(
    sa.select(*_COLUMNS).where(promotions.c.id == sa.bindparam("id"), *_OF_STORE), Promotion
)
_BY_CODE = Query(
    sa.select(*_COLUMNS).where(promotions.c.code_key == sa.bindparam("code_key"), *_OF_STORE),
    Promotion,
)
_PAGES = {
    is_coupon: Pages(
        sa.select(*_COLUMNS).where(_is_of_kind, *_OF_STORE),
        Promotion,
        order_by=(promotions.c.id.desc(),),
    )
    for is_coupon, _is_of_kind in (
        (True, promotions.c.code_key.is_not(None)),
        (False, promotions.c.code_key.is_(None)),
    )
}
_AUTOMATIC = Query(
    sa.select(*_COLUMNS)
    .where(
        *_OF_STORE,
        promotions.c.code_key.is_(None),
        promotions.c.is_active == sa.literal(True, Flag),
        sa.or_(promotions.c.ends_at.is_(None), promotions.c.ends_at > sa.bindparam("now")),
    )
    .order_by(promotions.c.priority.desc(), promotions.c.id)
    .limit(sa.literal(AUTOMATIC_MAX, Int)),
    Promotion,
)


_INSERT = Write(insert_once(promotions))
# What counts uses is not written here: a change must not forget those that came meanwhile.
_CHANGED = tuple(
    name
    for name in Promotion.__struct_fields__
    if name not in ("id", "store_id", "used", "created_at")
)
_SAVE = Write(
    sa.update(promotions)
    .where(
        promotions.c.id == sa.bindparam("key_id"),
        promotions.c.store_id == sa.bindparam("key_store_id"),
        promotions.c.version == sa.bindparam("seen"),
        promotions.c.deleted_at.is_(None),
    )
    .values({name: sa.bindparam(name) for name in _CHANGED})
)


async def get_promotion(
    db: Database, store_id: int, promotion_id: str, *, is_coupon: bool
) -> Promotion:
    """The store's coupon (or automatic promotion) of this id, or `PromotionNotFound`."""
    found = await db.one(_BY_ID, store_id=store_id, id=promotion_id)
    if found is None or (found.code is not None) != is_coupon:
        raise PromotionNotFound()
    return found


async def list_promotions(
    db: Database, store_id: int, *, is_coupon: bool, limit: int, offset: int
) -> tuple[list[Promotion], int]:
    """A page of the store's coupons (or automatic promotions), newest first, and how many."""
    page = await _PAGES[is_coupon].list_(db, limit, offset, store_id=store_id)
    return page, await count_promotions(db, store_id, is_coupon=is_coupon)


async def count_promotions(db: Database, store_id: int, *, is_coupon: bool) -> int:
    """How many coupons (or automatic promotions) the store has."""
    return await _PAGES[is_coupon].count(db, store_id=store_id)


async def list_automatic(db: Database, store_id: int, at: datetime) -> list[Rule]:
    """The store's active automatic promotions that have not ended, at most `AUTOMATIC_MAX`.

    They fit to be remembered: any change of them moves the version of the store's row. How often
    this buyer used them is added by `uses.with_customer`.
    """
    return [row.rule() for row in await db.all(_AUTOMATIC, store_id=store_id, now=at)]


async def find_coupon(db: Database, store_id: int, code: str) -> Rule | None:
    """The store's coupon of this code, as a buyer types it, usable or not."""
    key = code_key(code)
    if key is None:
        return None
    row = await db.one(_BY_CODE, store_id=store_id, code_key=key)
    return None if row is None else row.rule()


async def get_coupon(db: Database, store_id: int, code: str) -> Rule:
    """The same, or `CouponUnusable` (unknown)."""
    rule = await find_coupon(db, store_id, code)
    if rule is None:
        raise CouponUnusable("unknown")
    return rule


def insert_promotion(promotion: Promotion) -> Statement:
    """A new one; refused with `CodeTaken`."""
    return _INSERT(**values_of(promotion)).guarded(CodeTaken())


def save_promotion(promotion: Promotion, seen: Promotion) -> Statement:
    """Replace `seen` by `promotion` but for its uses, or `Stale`; `CodeTaken`."""
    values: dict[str, object] = {name: getattr(promotion, name) for name in _CHANGED}
    values["version"] = seen.version + 1
    return _SAVE(key_id=seen.id, key_store_id=seen.store_id, seen=seen.version, **values).guarded(
        Stale(), taken=CodeTaken()
    )
