"""The books: nobody changes an entry, commission follows money, balances and statements add up."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Batch, Query, Write
from eishro.db.tenancy import ROLE
from eishro.domain.ledger import reading
from eishro.domain.ledger.model import owed_of
from eishro.domain.ledger.reading import LedgerFilter
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.flows.change_order import cancel_order
from eishro.flows.set_commission import set_commission
from eishro.flows.shop import Rules
from eishro.jobs import settle_books as job
from eishro.jobs.schedule import tidy_up
from eishro.jobs.settle_books import settle_books
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

_CHANGE = Write(
    sa.update(ledger_entries)
    .where(ledger_entries.c.store_id == sa.bindparam("key_store"))
    .values(dirhams=ledger_entries.c.dirhams + 1)
)
_DROP = Write(
    sa.delete(ledger_entries).where(ledger_entries.c.store_id == sa.bindparam("key_store"))
)
_ALL = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams))
    .where(ledger_entries.c.store_id == sa.bindparam("store_id"))
    .group_by(ledger_entries.c.account),
    lambda account, dirhams: (account, int(dirhams)),
)
_KEPT = Query(
    sa.select(sa.func.count()).select_from(reading.ledger_balances), int, across_stores=True
)


async def _store(world: World, rate: int = 0) -> tuple[int, Any]:
    """A store under a commission, and a product of it."""
    rules = msgspec.structs.replace(world.shop.rules, commission_bp=rate)
    world.shop = changed(world.shop, rules=rules)
    merchant = await world.merchant()
    assert merchant.store is not None
    return merchant.store.id, await world.product(merchant.store.id, price=25_500)


async def _summed(world: World, store_id: int) -> dict[str, int]:
    found = await world.db.all(_ALL, store_id=store_id)
    return {account: dirhams for account, dirhams in sorted(found) if dirhams}


@pytest.mark.parametrize("write", [_CHANGE, _DROP], ids=["update", "delete"])
async def test_the_database_refuses_to_change_an_entry(world: World, write: Write) -> None:
    store_id, state = await _store(world)
    await world.earn(state)
    before = await _summed(world, store_id)
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        await world.db.commit(Batch(write(key_store=store_id)))
    assert await _summed(world, store_id) == before != {}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_neither_the_application_s_role_nor_its_owner_may(database_url: str) -> None:
    for settings, refusal in (({"role": ROLE}, "permission denied"), ({}, "append-only")):
        server = await asyncpg.connect(database_url, server_settings=settings)
        for sql in (
            "UPDATE ledger_entries SET dirhams = 0",
            "DELETE FROM ledger_entries",
            "TRUNCATE ledger_entries",
        ):
            with pytest.raises(asyncpg.PostgresError, match=refusal):
                await server.execute(sql)
        await server.close()


async def test_commission_is_charged_when_money_comes_at_the_rate_of_the_sale(
    world: World,
) -> None:
    store_id, state = await _store(world, rate=250)
    order = (await world.order(state)).order
    assert order.commission_bp == 250
    assert "commission" not in await reading.read_balances(world.db, store_id)
    # The rate moves on; what was sold before keeps its own.
    await set_commission(world.shop, store_id, 1_000, "a new contract", TESTER)
    paid = await world.earn(state)
    assert (await orders.get_order(world.db, paid)).commission_bp == 1_000
    balances = await reading.read_balances(world.db, store_id)
    assert (balances["commission"], balances["platform_fees"]) == (3_550, -3_550)
    assert owed_of(balances) == 35_500 - 3_550
    await set_commission(world.shop, store_id, None, "back to everybody's", TESTER)
    assert (await world.order(state)).order.commission_bp == 250
    assert await find_faults(world.db) == []


async def test_stranded_money_is_not_charged(world: World) -> None:
    store_id, state = await _store(world, rate=500)
    await world.earn(state, 1, "a", "b")
    balances = await reading.read_balances(world.db, store_id)
    assert balances["clearing:moamalat"] == 71_000
    assert balances["suspense"] == -35_500
    assert balances["platform_fees"] == -1_775
    assert owed_of(balances) == 35_500 - 1_775


async def test_kept_balances_and_the_tail_are_the_sum_of_all(
    world: World, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "SLICES_MAX", 2)
    stores = [await _store(world, rate=333) for _ in range(3)]
    for _ in range(12):
        store_id, state = rng.choice(stores)
        order_id = await world.earn(state, rng.randint(1, 4))
        if rng.random() < 0.3:
            await cancel_order(world.shop, order_id, TESTER, only_pending=False)
        world.clock.turn(timedelta(seconds=rng.randint(0, 90)))
        if rng.random() < 0.5:
            await settle_books(world.shop)
        for store_id, _ in stores:
            kept = await reading.read_balances(world.db, store_id)
            assert kept == await _summed(world, store_id)
    world.clock.turn(timedelta(minutes=5))
    while await settle_books(world.shop):
        pass
    assert await world.db.one(_KEPT)
    assert await reading.list_behind(world.db, 0, world.clock.now()) == []
    assert await find_faults(world.db) == []
    await tidy_up(world.shop)


async def test_what_is_young_is_not_added_up_yet(world: World) -> None:
    _, state = await _store(world)
    await world.earn(state)
    assert await settle_books(world.shop) == 0
    world.clock.turn(timedelta(minutes=3))
    assert await settle_books(world.shop) == 1
    assert await settle_books(world.shop) == 0


async def test_a_statement_opens_where_the_month_before_closed(
    world: World, rng: random.Random
) -> None:
    store_id, state = await _store(world, rate=250)
    for _ in range(10):
        await world.earn(state, rng.randint(1, 3))
        await world.order(state, method="cod")
        world.clock.turn(timedelta(days=rng.randint(1, 9)))
        await settle_books(world.shop)
    starts = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 8)]
    closed: dict[str, int] = {}
    for since, until in zip(starts, starts[1:], strict=False):
        statement = await reading.read_statement(world.db, store_id, since, until)
        assert statement.opening == closed
        moved = dict(statement.opening)
        for one in statement.movements:
            moved[one.account] = moved.get(one.account, 0) + one.dirhams
        assert {a: d for a, d in moved.items() if d} == statement.closing
        assert sum(statement.closing.values()) == 0
        closed = statement.closing
    assert closed == await _summed(world, store_id)


async def test_transactions_are_found_by_account_order_and_time(world: World) -> None:
    store_id, state = await _store(world, rate=250)
    first = await world.earn(state)
    world.clock.turn(timedelta(days=1))
    middle = world.clock.now()
    second = await world.earn(state, 2, "t1", "t2")

    async def found(**wanted: Any) -> list[str]:
        wish = LedgerFilter(store_id=store_id, **wanted)
        page = await reading.list_transactions(world.db, wish, 100)
        assert len(page) == await reading.count_transactions(world.db, wish)
        assert all(sum(entry.dirhams for entry in entries) == 0 for entries in page)
        return [f"{entries[0].reason} {entries[0].order_id}" for entries in page]

    paid, placed = "payment.received", "order.placed"
    assert sorted(await found(order_id=first)) == [f"{placed} {first}", f"{paid} {first}"]
    assert len(await found()) == 5
    assert len(await found(since=middle)) == len(await found(order_id=second)) == 3
    assert len(await found(until=middle)) == 2
    assert await found(account="suspense") == [f"{paid} {second}"]
    assert len(await found(account="sales")) == 2
    assert len(await found(account="commission", order_id=first)) == 1
    assert await found(account="bank") == []
    page = await reading.list_transactions(world.db, LedgerFilter(store_id=store_id), 2)
    below = page[-1][0].transaction_id
    assert len(await found()) - 2 == len(
        await reading.list_transactions(world.db, LedgerFilter(store_id=store_id, below=below), 100)
    )


def test_the_rate_is_nothing_unless_it_is_set() -> None:
    assert Rules(public_url="http://x").commission_bp == 0
