"""Tables and statements of risk: what is counted, and the orders that wait to be looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.risk.model import (
    COUNT_MAX,
    Refusal,
    Review,
    ReviewNotFound,
)
from eishro.errors import Stale
from eishro.ids import text_id

NEWEST_MAX = 50  # orders of a phone that are looked at for a good one
REFUSALS_MAX = 200
CARD_EVENTS_MAX = 1_000  # newest orders of a card whose phones are counted
WINDOWED, REFUSED = "rkw", "rkr"  # prefixes of events that count for a week, and for a year

# What is counted beside the orders themselves: an address, a card, a refused delivery. `subject` is
# a keyed hash (`model.subjects_of`); the order is there so that it is forgotten with its buyer.
risk_events = table(
    "risk_events",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.Index("ix_risk_events_subject_store_id_id", "subject", "store_id", "id"),
    sa.Index("ix_risk_events_store_id_order_id", "store_id", "order_id"),
    with_rowid=False,
)

order_reviews = table(
    "order_reviews",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("payment_id", Id),
    sa.Column("state", Text, nullable=False),
    sa.Column("findings", Json, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("decided_at", Moment),
    sa.Column("decided_by", Text),
    sa.Column("reason", Text),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.Index("ix_order_reviews_store_id_state_id", "store_id", "state", "id"),
    sa.Index("ix_order_reviews_store_id_order_id", "store_id", "order_id"),
    # One at a time for an order.
    sa.Index(
        "uq_order_reviews_open",
        "store_id",
        "order_id",
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    with_rowid=False,
)

# Read by name, so that this noun need not import the others.
_orders = sa.table(
    "orders",
    sa.column("id", Id),
    sa.column("store_id", Int),
    sa.column("customer_phone", Text),
    sa.column("status", Text),
    sa.column("payment_status", Text),
)
_payments = sa.table(
    "payments",
    sa.column("order_id", Id),
    sa.column("store_id", Int),
    sa.column("status", Text),
)
_guards = sa.table("buyer_guards", sa.column("subject", Text), sa.column("version", Int))


class Counted(msgspec.Struct, frozen=True):
    """A buyer's orders in the store, those to the address, good ones among the newest, and the
    version of the guard at that instant.
    """

    phone_orders: int = 0
    address_orders: int = 0
    good_orders: int = 0
    guard_version: int = 0


_STORE = sa.bindparam("store_id", type_=Int)
_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_OF_PHONE = (
    _orders.c.store_id == _STORE,
    _orders.c.customer_phone == sa.bindparam("phone", type_=Text),
)


def _count(name: str, *conditions: sa.ColumnElement[bool]) -> Any:
    """How many rows there are, counted as far as a limit may say."""
    most: sa.ColumnElement[int] = sa.literal_column(str(COUNT_MAX + 1))
    rows = sa.select(_ONE.label("one")).where(*conditions).limit(most)
    return sa.select(sa.func.count()).select_from(rows.subquery(name)).scalar_subquery()


# Whoever has bought before has done so among these.
_NEWEST = (
    sa.select(_orders.c.status, _orders.c.payment_status)
    .where(*_OF_PHONE, _orders.c.id >= sa.bindparam("known_since", type_=Text))
    .order_by(_orders.c.id.desc())
    .limit(sa.literal_column(str(NEWEST_MAX)))
    .subquery("newest_of_phone")
)
# One statement, so that counts and version are of one instant.
_COUNTED = Query(
    sa.select(
        _count("of_phone", *_OF_PHONE, _orders.c.id >= sa.bindparam("ordered_since", type_=Text)),
        _count(
            "to_address",
            risk_events.c.store_id == _STORE,
            in_list(risk_events.c.subject, "addresses"),
            risk_events.c.id >= sa.bindparam("sent_since", type_=Text),
        ),
        sa.select(sa.func.count())
        .select_from(_NEWEST)
        .where(
            sa.or_(
                _NEWEST.c.status == sa.literal_column("'delivered'"),
                _NEWEST.c.payment_status == sa.literal_column("'paid'"),
            )
        )
        .scalar_subquery(),
        sa.func.coalesce(
            sa.select(_guards.c.version)
            .where(_guards.c.subject == sa.bindparam("guard", type_=Text))
            .scalar_subquery(),
            0,
        ),
    ),
    Counted,
)
# Of other stores nothing but this is read, and nobody is shown whose they are.
_REFUSALS = Query(
    sa.select(risk_events.c.id, risk_events.c.store_id, risk_events.c.order_id)
    .where(in_list(risk_events.c.subject, "refusers"))
    .order_by(risk_events.c.id.desc())
    .limit(sa.literal_column(str(REFUSALS_MAX))),
    Refusal,
    across_stores=True,
)
# A card's events are few and its store's orders are many: the limit keeps a database from beginning
# at the orders.
_CARD_EVENTS = (
    sa.select(risk_events.c.store_id, risk_events.c.order_id)
    .where(
        risk_events.c.store_id == _STORE,
        in_list(risk_events.c.subject, "cards"),
        risk_events.c.id >= sa.bindparam("since", type_=Text),
    )
    .order_by(risk_events.c.id.desc())
    .limit(sa.literal_column(str(CARD_EVENTS_MAX)))
    .subquery("of_card")
)
_CARD_PHONES = Query(
    sa.select(sa.func.count(_orders.c.customer_phone.distinct()))
    .select_from(
        _CARD_EVENTS.join(
            _orders,
            sa.and_(
                _orders.c.id == _CARD_EVENTS.c.order_id,
                _orders.c.store_id == _CARD_EVENTS.c.store_id,
            ),
        )
    )
    .where(
        _orders.c.customer_phone != sa.bindparam("phone", type_=Text),
        _orders.c.customer_phone != sa.literal_column("''"),
    ),
    int,
)
_DECLINES = Query(
    sa.select(sa.func.count())
    .select_from(_orders.join(_payments, _payments.c.order_id == _orders.c.id))
    .where(
        *_OF_PHONE,
        _orders.c.id >= sa.bindparam("since", type_=Text),
        _payments.c.status == sa.literal_column("'failed'"),
    ),
    int,
)
_INSERT_EVENT = Write(sa.insert(risk_events))
_FORGET_EVENTS = Write(
    sa.delete(risk_events).where(
        risk_events.c.store_id == sa.bindparam("key_store"),
        risk_events.c.order_id == sa.bindparam("key_order"),
    )
)
_TAKE_BACK = Write(
    sa.delete(risk_events).where(
        risk_events.c.store_id == sa.bindparam("key_store"),
        risk_events.c.order_id == sa.bindparam("key_order"),
        in_list(risk_events.c.subject, "refusers"),
    )
)
_OLD_EVENTS = Query(
    sa.select(risk_events.c.id)
    .where(risk_events.c.id >= sa.bindparam("start"), risk_events.c.id < sa.bindparam("end"))
    .order_by(risk_events.c.id)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_COUNT_OLD_EVENTS = Query(
    sa.select(sa.func.count()).where(
        risk_events.c.id >= sa.bindparam("start"), risk_events.c.id < sa.bindparam("end")
    ),
    int,
    across_stores=True,
)
_FORGET_OLD = Write(
    sa.delete(risk_events).where(in_list(risk_events.c.id, "ids")), across_stores=True
)

_REVIEW = sa.select(*columns_of(order_reviews, Review))
_OF_STORE = order_reviews.c.store_id == sa.bindparam("store_id")
_BY_ID = Query(_REVIEW.where(_OF_STORE, order_reviews.c.id == sa.bindparam("id")), Review)
_OPEN_OF_ORDER = Query(
    _REVIEW.where(
        _OF_STORE,
        order_reviews.c.order_id == sa.bindparam("order_id"),
        order_reviews.c.state == sa.literal_column("'open'"),
    ),
    Review,
)
_PAGES = Pages(
    _REVIEW.where(_OF_STORE),
    Review,
    order_by=(order_reviews.c.id.desc(),),
    filters={
        "state": order_reviews.c.state == sa.bindparam("state"),
        "order_id": order_reviews.c.order_id == sa.bindparam("order_id"),
    },
)
_INSERT = Write(sa.insert(order_reviews))
_SAVE = Write(save_by_version(order_reviews, Review, ("store_id", "id")))
_FORGET_REASONS = Write(
    sa.update(order_reviews)
    .where(
        order_reviews.c.store_id == sa.bindparam("key_store"),
        order_reviews.c.order_id == sa.bindparam("key_order"),
    )
    .values(reason=sa.null(), version=order_reviews.c.version + 1)
)


async def count_orders(
    db: Database,
    store_id: int,
    phone: str,
    addresses: Sequence[str],
    guard: str,
    since: Mapping[str, str],
) -> Counted:
    """What the store knows of a buyer by the orders, in one read.

    Args:
        phone: E.164.
        addresses: what stands for the address; empty where it is not asked about.
        guard: of the phone (`holding.move_guards`); any text where nothing is guarded.
        since: the first ids that count (`ids.first_id`): `ordered_since` and `known_since` of
            orders, `sent_since` of events.
    """
    found = await db.one(
        _COUNTED,
        store_id=store_id,
        phone=phone,
        addresses=list(addresses),
        guard=guard,
        **since,
    )
    return found or Counted()


async def list_refusals(db: Database, refusers: Sequence[str]) -> list[Refusal]:
    """The newest deliveries that a phone (all that stands for it) has refused, in all stores."""
    return await db.all(_REFUSALS, refusers=list(refusers))


async def count_other_phones(
    db: Database, store_id: int, phone: str, cards: Sequence[str], since: str
) -> int:
    """How many other phones a card (all that stands for it) has paid for since this event id."""
    return (
        await db.one(_CARD_PHONES, store_id=store_id, phone=phone, cards=list(cards), since=since)
        or 0
    )


async def count_declines(db: Database, store_id: int, phone: str, since: str) -> int:
    """How many payments of the phone's orders were refused, of orders since this id."""
    return await db.one(_DECLINES, store_id=store_id, phone=phone, since=since) or 0


def count_event(
    prefix: str, store_id: int, order_id: str, subjects: Sequence[str], at: datetime
) -> list[Statement]:
    """The order counts for whom the first of these stands for."""
    if not subjects:
        return []
    row = {
        "id": text_id(prefix, at),
        "store_id": store_id,
        "order_id": order_id,
        "subject": subjects[0],
    }
    return [_INSERT_EVENT(**row)]


def take_back(store_id: int, order_id: str, subjects: Sequence[str]) -> Statement:
    """The order does not count for these after all."""
    return _TAKE_BACK(key_store=store_id, key_order=order_id, refusers=list(subjects))


async def list_old_events(db: Database, start: str, end: str, limit: int) -> list[str]:
    """Ids of events between two ids, which sort by time."""
    return await db.all(_OLD_EVENTS, start=start, end=end, limit=limit)


async def count_old_events(db: Database, start: str, end: str) -> int:
    """How many there are."""
    return await db.one(_COUNT_OLD_EVENTS, start=start, end=end) or 0


def forget_events(ids: Sequence[str]) -> Statement:
    """These events count no more."""
    return _FORGET_OLD(ids=list(ids))


def forget_buyers(keys: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Nothing of these orders (`owners.keys_of`) is counted for their buyers any more, and what
    people wrote of them goes.
    """
    return [_FORGET_EVENTS.each(keys), _FORGET_REASONS.each(keys)]


async def get_review(db: Database, store_id: int, review_id: str) -> Review:
    """The store's review, or `ReviewNotFound`."""
    review = await db.one(_BY_ID, store_id=store_id, id=review_id)
    if review is None:
        raise ReviewNotFound()
    return review


async def find_open_review(db: Database, store_id: int, order_id: str) -> Review | None:
    """The review that the order waits for."""
    return await db.one(_OPEN_OF_ORDER, store_id=store_id, order_id=order_id)


async def list_reviews(
    db: Database,
    store_id: int,
    state: str | None,
    order_id: str | None,
    limit: int,
    offset: int,
) -> tuple[list[Review], int]:
    """A page of the store's reviews, newest first, and how many there are."""
    asked = {"store_id": store_id, "state": state, "order_id": order_id}
    return await _PAGES.list_(db, limit, offset, **asked), await _PAGES.count(db, **asked)


def insert_review(review: Review) -> Statement:
    """A new review; `Stale` if the order waits for one already."""
    return _INSERT(**values_of(review)).guarded(Stale())


def save_review(review: Review, seen: Review) -> Statement:
    """Replace `seen` by `review`, or `Stale`."""
    return _SAVE(**saving(review, seen, ("store_id", "id"))).guarded(Stale())
