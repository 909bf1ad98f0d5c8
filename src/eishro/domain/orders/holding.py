"""How much one buyer holds in unpaid, unconfirmed orders, over all stores.

Orders are counted, not a counter kept: what is cancelled, paid or confirmed in any way counts no
more, and nothing can leak. Two orders at once would both count too few, so each moves the version
of its buyer's guard, which must be the one that was read with the count.

A guard is shared by all whose hash begins alike, so that its row names nobody: a million guards
stand for some 50 million Libyan mobile numbers. Two strangers who order in the same instant and
share one only wait for each other; with fewer guards that happened every second in a busy hour.
"""

import hashlib

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, count_up
from eishro.db.types import Int, Text
from eishro.domain.orders.sql import order_lines, orders
from eishro.errors import Conflict, Stale, Words

# By `guard:3fa27`. Written only where limits are on.
buyer_guards = table(
    "buyer_guards",
    sa.Column("subject", Text, primary_key=True),
    sa.Column("version", Int, nullable=False),
    with_rowid=False,
)


class TooManyOpenOrders(Conflict):
    """The buyer has as many open orders, or pieces in them, as one buyer may."""

    code = "TOO_MANY_OPEN_ORDERS"
    words = Words(
        "You have many unpaid orders already; pay, cancel or wait for them first.",
        "لديك طلبات كثيرة غير مدفوعة؛ يرجى دفعها أو إلغاؤها أو انتظار تأكيدها أولا.",
    )


class Held(msgspec.Struct, frozen=True):
    """Open orders, the pieces in them, and the version of the buyer's guard at that instant."""

    orders: int
    pieces: int
    version: int


# Written out as in the index over them: a parameter would not match it.
_IS_OPEN = sa.text("orders.status = 'pending' AND orders.payment_status IN ('pending', 'failed')")
_VERSION = (
    sa.select(buyer_guards.c.version)
    .where(buyer_guards.c.subject == sa.bindparam("guard"))
    .scalar_subquery()
)
# One statement, so that count and version are of one instant.
_HELD = sa.select(
    sa.func.count(orders.c.id.distinct()),
    sa.func.coalesce(sa.func.sum(order_lines.c.quantity), 0),
    sa.func.coalesce(_VERSION, 0),
).select_from(orders.join(order_lines, order_lines.c.order_id == orders.c.id))
_BY_PHONE = Query(
    _HELD.where(orders.c.customer_phone == sa.bindparam("phone"), _IS_OPEN),
    Held,
    across_stores=True,
    together=True,
)
_BY_CUSTOMER = Query(
    _HELD.where(orders.c.customer_user_id == sa.bindparam("user_id"), _IS_OPEN),
    Held,
    across_stores=True,
    together=True,
)
_MOVE = Write(
    count_up(
        buyer_guards,
        buyer_guards.c.version,
        where=buyer_guards.c.version == sa.bindparam("seen", type_=Int),
    )
)


def guard_of(subject: str) -> str:
    """The guard of a buyer (`phone:+218…` or `user:7`), which many share."""
    return f"guard:{hashlib.sha256(subject.encode()).hexdigest()[:5]}"


async def held_by_phone(db: Database, phone: str, guard: str) -> Held:
    """What a phone (E.164) holds; `guard` is the one of `phone:` and the number."""
    return await db.one(_BY_PHONE, phone=phone, guard=guard) or Held(0, 0, 0)


async def held_by_customer(db: Database, user_id: int, guard: str) -> Held:
    """What an account holds; `guard` is the one of `user:` and its id."""
    return await db.one(_BY_CUSTOMER, user_id=user_id, guard=guard) or Held(0, 0, 0)


def move_guards(seen: dict[str, int]) -> Statement:
    """The buyers of these guards order: `Stale` if one did since its version was read."""
    rows = [
        {"subject": subject, "version": 1, "seen": version}
        for subject, version in sorted(seen.items())
    ]
    return _MOVE.each(rows).guarded(Stale())
