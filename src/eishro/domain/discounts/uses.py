"""Who used which promotion, for which order: counted with the order, given back with it.

A limit counts from when it is set. What has no limit is not counted, so that a promotion of every
order is no row that every order waits for.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, count_up, in_list
from eishro.db.types import Flag, Id, Int, Json, Text
from eishro.domain.discounts.model import Applied, CouponUnusable, Rule
from eishro.domain.discounts.promotion import AUTOMATIC_MAX, Promotion
from eishro.domain.discounts.sql import promotions
from eishro.errors import Stale

COUNTED_MAX = 10_000  # uses of a promotion without a limit that a list counts


# How often each customer used what has a limit per customer; the subject is `phone:+218…` or
# `user:7`.
promotion_uses = table(
    "promotion_uses",
    sa.Column("store_id", Int, primary_key=True, autoincrement=False),
    sa.Column("promotion_id", Id, primary_key=True),
    sa.Column("subject", Text, primary_key=True),
    sa.Column("used", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "promotion_id"], ["promotions.store_id", "promotions.id"]),
    sa.CheckConstraint("used >= 0", name="used"),
    with_rowid=False,
)

# What each order used. `is_counted` and `subjects` say what was counted, so that exactly that is
# given back, whatever the limits are by then.
order_promotions = table(
    "order_promotions",
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("promotion_id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("dirhams", Int, nullable=False),
    sa.Column("is_counted", Flag, nullable=False),
    sa.Column("subjects", Json, nullable=False),
    sa.Column("is_given_back", Flag, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.ForeignKeyConstraint(["store_id", "promotion_id"], ["promotions.store_id", "promotions.id"]),
    sa.Index(
        "ix_order_promotions_promotion_id",
        "promotion_id",
        sqlite_where=sa.text("is_given_back = 0"),
        postgresql_where=sa.text("is_given_back = 0"),
    ),
    with_rowid=False,
)


class Use(msgspec.Struct, frozen=True):
    """A promotion that an order uses; `subjects` is a JSON list of whom it was counted for."""

    order_id: str
    promotion_id: str
    store_id: int
    dirhams: int
    is_counted: bool
    subjects: msgspec.Raw
    is_given_back: bool


class _CustomerUses(msgspec.Struct, frozen=True):
    promotion_id: str
    used: int


_BY_CUSTOMER = Query(
    sa.select(promotion_uses.c.promotion_id, promotion_uses.c.used).where(
        promotion_uses.c.store_id == sa.bindparam("store_id"),
        in_list(promotion_uses.c.promotion_id, "ids"),
        in_list(promotion_uses.c.subject, "subjects"),
    ),
    _CustomerUses,
)
_SOME_ORDERS = (
    sa.select(sa.literal_column("1").label("one"))
    .where(
        order_promotions.c.promotion_id == promotions.c.id,
        order_promotions.c.is_given_back == sa.literal_column("0"),
    )
    .limit(sa.literal(COUNTED_MAX, Int))
    .correlate(promotions)
    .subquery("some_orders")
)
_ORDERS_OF = Query(
    sa.select(
        promotions.c.id, sa.select(sa.func.count()).select_from(_SOME_ORDERS).scalar_subquery()
    ).where(promotions.c.store_id == sa.bindparam("store_id"), in_list(promotions.c.id, "ids")),
    _CustomerUses,
)
_USES_OF_ORDER = Query(
    sa.select(*columns_of(order_promotions, Use))
    .where(
        order_promotions.c.store_id == sa.bindparam("store_id"),
        order_promotions.c.order_id == sa.bindparam("order_id"),
    )
    .order_by(order_promotions.c.promotion_id)
    .limit(sa.literal(AUTOMATIC_MAX + 1, Int)),
    Use,
)

# An order uses the very rule that it was priced with. Only reading the rule's row, this makes no
# hot row of a promotion that everybody uses.
_REMEMBER = Write(
    sa.insert(order_promotions).from_select(
        list(Use.__struct_fields__),
        sa.select(
            *(
                sa.bindparam(name, type_=order_promotions.c[name].type).label(name)
                for name in Use.__struct_fields__
            )
        ).where(
            sa.exists(
                sa.select(sa.literal_column("1")).where(
                    promotions.c.id == sa.bindparam("promotion_key"),
                    promotions.c.store_id == sa.bindparam("store_key"),
                    promotions.c.version == sa.bindparam("promotion_version"),
                    promotions.c.is_active == sa.literal_column("1"),
                    promotions.c.deleted_at.is_(None),
                )
            )
        ),
    )
)
_KEY = (
    promotions.c.id == sa.bindparam("key"),
    promotions.c.store_id == sa.bindparam("key_store"),
)
_COUNT = Write(
    sa.update(promotions)
    .where(
        *_KEY,
        promotions.c.version == sa.bindparam("promotion_version"),
        promotions.c.is_active == sa.literal_column("1"),
        promotions.c.used < promotions.c.usage_limit,
    )
    .values(used=promotions.c.used + 1)
)
_COUNT_CUSTOMER = Write(
    count_up(
        promotion_uses,
        promotion_uses.c.used,
        where=promotion_uses.c.used < sa.bindparam("customer_limit", type_=Int),
    )
)
_GIVE_BACK = Write(
    sa.update(order_promotions)
    .where(
        order_promotions.c.order_id == sa.bindparam("key_order"),
        order_promotions.c.promotion_id == sa.bindparam("key"),
        order_promotions.c.store_id == sa.bindparam("key_store"),
        order_promotions.c.is_given_back == sa.literal_column("0"),
    )
    .values(is_given_back=sa.literal_column("1"))
)
_REVALUE = Write(
    sa.update(order_promotions)
    .where(
        order_promotions.c.order_id == sa.bindparam("key_order"),
        order_promotions.c.promotion_id == sa.bindparam("key"),
        order_promotions.c.store_id == sa.bindparam("key_store"),
        order_promotions.c.is_given_back == sa.literal_column("0"),
    )
    .values(dirhams=sa.bindparam("taken"))
)
_UNCOUNT = Write(
    sa.update(promotions).where(*_KEY, promotions.c.used > 0).values(used=promotions.c.used - 1)
)
_UNCOUNT_CUSTOMER = Write(
    sa.update(promotion_uses)
    .where(
        promotion_uses.c.store_id == sa.bindparam("key_store"),
        promotion_uses.c.promotion_id == sa.bindparam("key"),
        promotion_uses.c.subject == sa.bindparam("key_subject"),
        promotion_uses.c.used > 0,
    )
    .values(used=promotion_uses.c.used - 1)
)

_FORGET_CUSTOMER = Write(
    sa.delete(promotion_uses).where(
        promotion_uses.c.store_id == sa.bindparam("key_store"),
        promotion_uses.c.promotion_id == sa.bindparam("key"),
        promotion_uses.c.subject == sa.bindparam("key_subject"),
        promotion_uses.c.used <= sa.bindparam("taken", type_=Int),
    )
)
_FORGET_SUBJECTS = Write(
    sa.update(order_promotions)
    .where(
        order_promotions.c.order_id == sa.bindparam("key_order"),
        order_promotions.c.promotion_id == sa.bindparam("key"),
        order_promotions.c.store_id == sa.bindparam("key_store"),
    )
    .values(subjects=sa.literal_column("'[]'"))
)


async def count_used(db: Database, page: Sequence[Promotion]) -> dict[str, int]:
    """How often each was used, by id. Without a limit nothing counts, so their orders are counted
    now, up to `COUNTED_MAX`.
    """
    used = {one.id: one.used for one in page}
    ids = [one.id for one in page if one.usage_limit is None]
    if ids:
        found = await db.all(_ORDERS_OF, store_id=page[0].store_id, ids=ids)
        used.update({row.promotion_id: row.used for row in found})
    return used


async def with_customer(
    db: Database, store_id: int, rules: Sequence[Rule], subjects: Sequence[str]
) -> list[Rule]:
    """The rules with the uses of this buyer; reads only if one has a limit per customer."""
    limited = [rule.id for rule in rules if rule.per_customer_limit is not None]
    if not limited or not subjects:
        return list(rules)
    used: dict[str, int] = {}
    for row in await db.all(_BY_CUSTOMER, store_id=store_id, ids=limited, subjects=list(subjects)):
        used[row.promotion_id] = max(used.get(row.promotion_id, 0), row.used)
    return [msgspec.structs.replace(rule, used_by_customer=used.get(rule.id, 0)) for rule in rules]


async def list_uses(db: Database, store_id: int, order_id: str) -> list[Use]:
    """What the order used, given back or not."""
    return await db.all(_USES_OF_ORDER, store_id=store_id, order_id=order_id)


def use(applied: Applied, subjects: Sequence[str], order_id: str) -> list[Statement]:
    """The order uses the rule; stands after the order's own insert in the batch.

    Refused with `Stale` if the rule was changed, switched off or deleted since it was read; if its
    uses are over, with `CouponUnusable`, or `Stale` for an automatic one: the order is then
    priced without it.

    Args:
        subjects: whose use it is, of `model.subjects_of`.
    """
    rule = applied.rule
    is_counted = rule.usage_limit is not None
    counted_for = tuple(subjects) if rule.per_customer_limit is not None else ()
    remembered = _REMEMBER(
        promotion_key=rule.id,
        store_key=rule.store_id,
        promotion_version=rule.version,
        order_id=order_id,
        promotion_id=rule.id,
        store_id=rule.store_id,
        dirhams=applied.dirhams,
        is_counted=is_counted,
        subjects=counted_for,
        is_given_back=False,
    )
    statements = [remembered.guarded(Stale())]
    if is_counted:
        counted = _COUNT(key=rule.id, key_store=rule.store_id, promotion_version=rule.version)
        statements.append(
            counted.guarded(Stale() if rule.code is None else CouponUnusable("exhausted"))
        )
    if counted_for:
        by_customer = _COUNT_CUSTOMER.each(
            [
                {
                    "store_id": rule.store_id,
                    "promotion_id": rule.id,
                    "subject": subject,
                    "used": 1,
                    "customer_limit": rule.per_customer_limit,
                }
                for subject in sorted(counted_for)
            ]
        )
        statements.append(
            by_customer.guarded(Stale() if rule.code is None else CouponUnusable("customer_limit"))
        )
    return statements


def change(uses: Sequence[Use], applied: Sequence[Applied]) -> list[Statement]:
    """The order was edited: what still applies is worth this much, what does not is given back.

    Args:
        uses: of `list_uses`.
        applied: of the rules that the order used.
    """
    worth = {one.rule.id: one.dirhams for one in applied}
    statements = give_back([one for one in uses if one.promotion_id not in worth])
    for one in uses:
        if not one.is_given_back and worth.get(one.promotion_id, one.dirhams) != one.dirhams:
            revalued = _REVALUE(
                key_order=one.order_id,
                key=one.promotion_id,
                key_store=one.store_id,
                taken=worth[one.promotion_id],
            )
            statements.append(revalued.guarded(Stale()))
    return statements


def give_back(uses: Sequence[Use]) -> list[Statement]:
    """The order is cancelled or expired: what it used can be used again, once.

    Args:
        uses: of `list_uses`. What was given back already is left out; `Stale` if it is meanwhile.
    """
    statements: list[Statement] = []
    for one in uses:
        if one.is_given_back:
            continue
        key = {"key": one.promotion_id, "key_store": one.store_id}
        statements.append(_GIVE_BACK(key_order=one.order_id, **key).guarded(Stale()))
        if one.is_counted:
            statements.append(_UNCOUNT(**key))
        statements += [
            _UNCOUNT_CUSTOMER(**key, key_subject=subject)
            for subject in msgspec.json.decode(one.subjects, type=list[str])
        ]
    return statements


def forget_customers(uses: Sequence[Use]) -> list[Statement]:
    """The telephones that these uses were counted for are forgotten; for orders that nothing is
    given back for any more. A telephone's count loses them and keeps those of its other orders; a
    count of nothing goes, and its telephone with it. An account's count stays: it names nobody.
    """
    statements: list[Statement] = []
    for one in uses:
        key: dict[str, object] = {"key": one.promotion_id, "key_store": one.store_id}
        taken = 0 if one.is_given_back else 1
        subjects = msgspec.json.decode(one.subjects, type=list[str])
        for subject in subjects:
            if subject.startswith("phone:"):
                statements.append(_FORGET_CUSTOMER(**key, key_subject=subject, taken=taken))
                if taken:
                    statements.append(_UNCOUNT_CUSTOMER(**key, key_subject=subject))
        if subjects:
            statements.append(_FORGET_SUBJECTS(key_order=one.order_id, **key))
    return statements
