"""`eishro doctor`: does everything answer, and do the books and the stock add up?"""

from typing import Any

import sqlalchemy as sa

from eishro.adapters.payments.moamalat_fields import TEST_MERCHANT_ID
from eishro.app import open_shop
from eishro.cli import doctor_discounts, doctor_shipping
from eishro.cli.doctor_amounts import find_wrong_amounts
from eishro.cli.doctor_books import SHOWN_MAX, find_faults_of_books
from eishro.cli.doctor_money import MONEY_LISTS, find_money_adrift
from eishro.db import audit_seals, migrate
from eishro.db.database import Database
from eishro.db.outbox import outbox
from eishro.db.statements import Query
from eishro.db.types import Flag
from eishro.domain.catalog.sql import products
from eishro.domain.messages.port import MailNotSent
from eishro.domain.payments.transfers import PROVIDER as TRANSFER
from eishro.domain.stock.sql import stock, stock_movements
from eishro.domain.stores.sql import store_versions
from eishro.domain.suspense import sql as suspense
from eishro.errors import ShopError
from eishro.flows import two_factor
from eishro.flows.shop import Shop
from eishro.settings import Settings


def _signed(*kinds_and_signs: tuple[str, int]) -> sa.ColumnElement[int]:
    """Sum of movements, each kind with its sign, per variant."""
    cases = [
        (stock_movements.c.kind == kind, stock_movements.c.quantity * sign)
        for kind, sign in kinds_and_signs
    ]
    return sa.func.coalesce(sa.func.sum(sa.case(*cases, else_=0)), 0)


# Summed once over all movements: no index of movements by variant is kept for this question.
_MOVED = (
    sa.select(
        stock_movements.c.variant_id,
        _signed(("hold", 1), ("release", -1), ("consume", -1)).label("held"),
        _signed(("consume", 1), ("restock", -1)).label("sold"),
    )
    .group_by(stock_movements.c.variant_id)
    .subquery()
)
_STOCK_ADRIFT = Query(
    sa.select(stock.c.variant_id)
    .select_from(stock.outerjoin(_MOVED, _MOVED.c.variant_id == stock.c.variant_id))
    .where(
        sa.or_(
            stock.c.held != sa.func.coalesce(_MOVED.c.held, 0),
            stock.c.sold != sa.func.coalesce(_MOVED.c.sold, 0),
        )
    )
    .order_by(stock.c.variant_id)
    .limit(SHOWN_MAX),
    int,
    across_stores=True,
)
# domain/stock/sql.py: what came in is what is there, held and sold.
_CAME_IN = (
    sa.select(
        stock_movements.c.variant_id,
        _signed(("receive", 1), ("track", 1), ("untrack", 1)).label("pieces"),
    )
    .group_by(stock_movements.c.variant_id)
    .subquery()
)
_MISCOUNTED_STOCK = Query(
    sa.select(stock.c.variant_id)
    .select_from(stock.outerjoin(_CAME_IN, _CAME_IN.c.variant_id == stock.c.variant_id))
    .where(
        stock.c.available + stock.c.held + stock.c.sold != sa.func.coalesce(_CAME_IN.c.pieces, 0)
    )
    .order_by(stock.c.variant_id)
    .limit(SHOWN_MAX),
    int,
    across_stores=True,
)
_NEGATIVE = Query(
    sa.select(stock.c.variant_id)
    .where(sa.or_(stock.c.available < 0, stock.c.held < 0, stock.c.sold < 0))
    .limit(SHOWN_MAX),
    int,
    across_stores=True,
)
_MISCOUNTED = Query(
    sa.select(store_versions.c.store_id)
    .where(
        store_versions.c.active_products
        != sa.select(sa.func.count())
        .select_from(products)
        .where(products.c.store_id == store_versions.c.store_id, products.c.status == "active")
        .scalar_subquery()
    )
    .limit(SHOWN_MAX),
    int,
    across_stores=True,
)
_DEAD = Query(
    sa.select(outbox.c.id).where(outbox.c.is_dead == sa.literal(True, Flag)).limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("variants whose stock differs from its movements", _STOCK_ADRIFT),
    ("variants whose pieces differ from what came and went", _MISCOUNTED_STOCK),
    ("variants with negative stock", _NEGATIVE),
    *MONEY_LISTS,
    ("stores whose count of products on sale is wrong", _MISCOUNTED),
    *doctor_shipping.LISTS,
    *doctor_discounts.LISTS,
    ("events nobody could work off", _DEAD),
)


async def examine(settings: Settings) -> int:
    """Print findings and warnings; 1 if there is a finding."""
    try:
        async with open_shop(settings) as shop:
            await migrate.check(shop.db)
            findings = await find_faults(shop.db)
            findings += await audit_seals.find_breaks(shop.db, shop.keyring, SHOWN_MAX)
            old, lost = await two_factor.count_old_seals(shop)
            if lost:
                findings.append(f"second factors sealed with a key that is gone: {lost}")
            await shop.kv.get("doctor")
            await shop.mail.check()
            warnings = await find_warnings(shop, settings)
            if old:
                warnings.append(f"{old} second factors need an older key: run eishro rotate-keys")
    except MailNotSent as error:
        print(f"finding: mail cannot be sent: {error}")
        return 1
    except (migrate.NotMigrated, migrate.NewerThanCode, ShopError, ValueError) as error:
        print(f"finding: {error}")
        return 1
    for warning in warnings:
        print(f"warning: {warning}")
    for finding in findings:
        print(f"finding: {finding}")
    if not findings:
        print("The books balance, the stock adds up, everything answers.")
    return 1 if findings else 0


async def find_faults(db: Database) -> list[str]:
    """What is wrong with the data, one sentence each."""
    findings = await find_faults_of_books(db)
    for what, query in _LISTS:
        rows = await db.all(query)
        if rows:
            findings.append(f"{what}: {', '.join(str(row) for row in rows)}")
    if wrong := await find_wrong_amounts(db):
        findings.append(f"orders that do not cost what their traces say: {', '.join(wrong)}")
    findings += await find_money_adrift(db)
    findings += await doctor_shipping.find_courier_faults(db)
    return findings


async def find_warnings(shop: Shop, settings: Settings) -> list[str]:
    """What people should know and may be meant so."""
    warnings = []
    unsealed, oldest = await audit_seals.find_tail(shop.db)
    if oldest is not None:
        age = int((shop.clock.now() - oldest).total_seconds())
        warnings.append(f"{unsealed} lines of the audit trail are not sealed yet, for {age} s")
    if overdue := await suspense.count_overdue(shop.db, shop.clock.now()):
        warnings.append(f"{overdue} amounts in suspense are past their deadline")
    if settings.moamalat_merchant_id == TEST_MERCHANT_ID:
        warnings.append("Moamalat uses the published test merchant")
    for name in ("authenticated", "anonymous", "payments"):
        if getattr(settings, f"rate_limit_{name}") is None:
            warnings.append(f"the {name} rate limit is off")
    if not set(shop.providers) - {TRANSFER}:
        warnings.append("no payment gateway is configured")
    return warnings
