"""PostgreSQL: the second wall. Statements that lost their filter meet the policies."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db import migrate, outbox, row_security
from eishro.db.audit import audit_records, record
from eishro.db.compiled import compile_read
from eishro.db.database import DatabaseDamaged
from eishro.db.postgres import PostgresDatabase
from eishro.db.schema import METADATA
from eishro.db.statements import Batch, Query, Write
from eishro.db.tenancy import PRIVATE, PUBLIC, ROLE
from eishro.domain.catalog.sql import products
from eishro.domain.orders import sql as order_sql
from eishro.domain.orders.listing import OrderFilter, count_orders
from eishro.domain.orders.sql import orders
from eishro.domain.stock.sql import stock_movements
from eishro.domain.stores.sql import stores
from eishro.errors import Stale
from tests.contracts.database import AT
from tests.db.test_tenancy import _STATEMENTS
from tests.servers.postgres import Postgres
from tests.shops import TESTER, World

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

_ROWS = {
    name: Query(sa.select(sa.func.count()).select_from(METADATA.tables[name]), int, store="store")
    for name in PRIVATE
}
_NOTE_ALL = Write(sa.update(orders).values(notes=sa.bindparam("note")), store="store")
_GIVE_AWAY = Write(sa.update(orders).values(store_id=sa.bindparam("to")), store="store")
_MOVE = Write(sa.insert(stock_movements), store="store")
_RAISE_PRICES = Write(sa.update(products).values(price_dirhams=1), store="store")
_CLOSE_ALL = Write(sa.update(stores).values(is_active=0), store="store")
_DROP_NOTES = Write(sa.delete(audit_records), store="store")
_NOTES = Query(
    sa.select(orders.c.notes).order_by(orders.c.id), lambda note: note, across_stores=True
)
_PRICES = Query(sa.select(products.c.price_dirhams).order_by(products.c.store_id), int)
_MOVEMENT = {"variant_id": 1, "kind": "hold", "quantity": 1, "at": AT}


class Two:
    """Two stores with an order each."""

    def __init__(self, world: World, db: PostgresDatabase, ours: int, theirs: int) -> None:
        self.world = world
        self.db = db
        self.ours = ours
        self.theirs = theirs


@pytest.fixture
async def two(world: World) -> Two:
    found: list[int] = []
    for _ in range(2):
        store = (await world.merchant()).store
        assert store is not None
        await world.order(await world.product(store.id, stock=5))
        found.append(store.id)
    assert isinstance(world.db, PostgresDatabase)
    return Two(world, world.db, *found)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Any]:
    """The superuser, whom no policy holds."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Any]:
    """A connection as the pool opens them."""
    connection = await asyncpg.connect(database_url, server_settings={"role": ROLE})
    yield connection
    await connection.close()


async def _both_ways(db: PostgresDatabase, batch: Batch) -> None:
    """In one statement if it can be, and statement by statement."""
    await db.commit(batch)
    await db._commit_each(batch)


async def test_every_table_of_stores_is_secured(server: Any) -> None:
    found = await server.fetch(
        """SELECT relname, relrowsecurity AND relforcerowsecurity AS secured,
            array(SELECT polname::text FROM pg_policy WHERE polrelid = pg_class.oid ORDER BY 1)
            AS policies
        FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
    )
    secured = {row["relname"]: row["policies"] for row in found if row["secured"]}
    shown = dict.fromkeys(PUBLIC, ["shown", "tenant"])
    assert secured == {
        **dict.fromkeys(PRIVATE, ["tenant"]),
        **shown,
        **dict.fromkeys(("audit_records", "outbox"), ["platform", "tenant"]),
    }
    for row in found:
        assert row["secured"] or not row["policies"]


async def test_a_query_without_its_filter_shows_one_store(two: Two, server: Any) -> None:
    seen = 0
    for name, query in _ROWS.items():
        for store in (two.ours, two.theirs):
            own = await server.fetchval(f"SELECT count(*) FROM {name} WHERE store_id = $1", store)
            assert await two.db.one(query, store=store) == own, name
            seen += own
        assert await two.db.one(query, store=-1) == 0, name
    assert seen > 20


async def test_a_connection_that_names_no_store_sees_none(two: Two, app: Any, server: Any) -> None:
    del two
    for name in PRIVATE:
        assert await app.fetchval(f"SELECT count(*) FROM {name}") == 0, name
        if name == "ledger_entries":  # nobody deletes these
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(f"DELETE FROM {name}")
            continue
        assert await app.execute(f"DELETE FROM {name}") == "DELETE 0"
    for name in PUBLIC:
        shown = await app.fetchval(f"SELECT count(*) FROM {name}")
        assert shown == await server.fetchval(f"SELECT count(*) FROM {name}"), name
        assert shown or name in ("categories", "product_categories", "product_cards")
        if name == "ledger_entries":  # nobody deletes these
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(f"DELETE FROM {name}")
            continue
        assert await app.execute(f"DELETE FROM {name}") == "DELETE 0"


async def test_a_write_without_its_filter_changes_one_store(two: Two) -> None:
    await _both_ways(two.db, Batch(_NOTE_ALL(note="ours", store=two.ours)))
    assert sorted(await two.db.all(_NOTES), key=str) == [None, "ours"]
    await _both_ways(two.db, Batch(_RAISE_PRICES(store=two.ours)))
    assert sorted(await two.db.all(_PRICES)) == [1, 25_500]
    await _both_ways(two.db, Batch(_CLOSE_ALL(store=two.theirs)))
    with pytest.raises(Stale):
        await two.db.commit(Batch(_NOTE_ALL(note="all", store=two.ours).guarded(Stale(), rows=2)))
    rows = await two.db.one(_ROWS["audit_records"], store=two.theirs)
    await _both_ways(two.db, Batch(_DROP_NOTES(store=two.ours)))
    assert await two.db.one(_ROWS["audit_records"], store=two.theirs) == rows
    assert await two.db.one(_ROWS["audit_records"], store=two.ours) == 0


async def test_a_row_of_another_store_is_refused(two: Two) -> None:
    foreign = {**_MOVEMENT, "subject_id": "s", "store_id": two.theirs}
    for batch in (
        Batch(_MOVE(**foreign, store=two.ours)),
        Batch(_MOVE(**foreign, store=two.ours).guarded(Stale())),
        Batch(_GIVE_AWAY(to=two.theirs, store=two.ours)),
    ):
        before = await two.db.one(_ROWS["stock_movements"], store=two.theirs)
        for commit in (two.db.commit, two.db._commit_each):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await commit(batch)
        assert await two.db.one(_ROWS["stock_movements"], store=two.theirs) == before
    own = {**_MOVEMENT, "subject_id": "s", "store_id": two.ours}
    await two.db.commit(Batch(_MOVE(**own, store=two.ours)))


async def test_the_next_user_of_a_connection_is_told_nothing(two: Two, database_url: str) -> None:
    db = await PostgresDatabase.open(database_url, pool_max=1)
    refused = Batch(_GIVE_AWAY(to=two.theirs, store=two.ours))
    for work in (
        lambda: db.one(_ROWS["orders"], store=two.ours),
        lambda: db.all(_NOTES),
        lambda: db.commit(Batch(_NOTE_ALL(note="x", store=two.ours))),
        lambda: db._commit_each(Batch(_NOTE_ALL(note="x", store=two.ours))),
        lambda: db.commit(refused),
        lambda: db._commit_each(refused),
    ):
        try:
            await work()
        except asyncpg.InsufficientPrivilegeError:
            pass
        async with db._connection() as connection:
            assert await connection.fetchval("SELECT current_user") == ROLE
            setting = await connection.fetchval("SELECT current_setting('eishro.stores', true)")
            assert not setting
            assert await connection.fetchval("SELECT count(*) FROM orders") == 0
    await db.aclose()


async def test_the_role_owns_nothing_and_cannot_become_more(
    two: Two, server: Any, postgres: Postgres, database_url: str
) -> None:
    del two
    role = await server.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", ROLE)
    for may in ("super", "bypassrls", "canlogin", "createrole", "createdb", "replication"):
        assert role[f"rol{may}"] is False, may
    owned = "SELECT count(*) FROM pg_class WHERE relowner = $1"
    assert await server.fetchval(owned, role["oid"]) == 0
    await server.execute(
        f"DROP ROLE IF EXISTS shop_login; CREATE ROLE shop_login LOGIN IN ROLE {ROLE}"
    )
    connection = await asyncpg.connect(
        database_url.replace("postgres@", "shop_login@"), server_settings={"role": ROLE}
    )
    for attempt in (
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON orders",
        "CREATE POLICY more ON orders USING (true)",
        "TRUNCATE audit_records",
        "UPDATE alembic_version SET version_num = '0001'",
        f"ALTER ROLE {ROLE} BYPASSRLS",
        "SET row_security = off; SELECT count(*) FROM orders",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(attempt)
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0
    await connection.close()
    del postgres


async def test_a_user_that_is_only_a_member_serves_the_shop(two: Two, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP ROLE IF EXISTS shop_only; CREATE ROLE shop_only LOGIN")
    url = database_url.replace("postgres@", "shop_only@")
    with pytest.raises(DatabaseDamaged, match=ROLE):
        await PostgresDatabase.open(url)
    await connection.execute(f"GRANT {ROLE} TO shop_only")
    await connection.close()
    db = await PostgresDatabase.open(url)
    await migrate.check(db)
    assert await db.one(_ROWS["orders"], store=two.ours) == 1
    await db.commit(Batch(_NOTE_ALL(note="ours", store=two.ours)))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run_script("ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
    await db.aclose()


async def test_an_owner_who_is_no_superuser_migrates_and_is_held_too(
    database_url: str, postgres: Postgres, server: Any
) -> None:
    del database_url
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    await server.execute(f"DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN")
    await server.execute(f"GRANT {ROLE} TO {name}")
    await server.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    db = await PostgresDatabase.open(url.replace("postgres@", f"{name}@"))
    await migrate.migrate(db)
    await migrate.check(db)
    await db.commit(Batch(record(TESTER, "a", 1, AT, store_id=7), record(TESTER, "a", 2, AT)))
    assert await db.one(_ROWS["audit_records"], store=7) == 1
    async with db._own_connection() as owner:
        assert await owner.fetchval("SELECT current_user") == name
        assert await owner.fetchval("SELECT count(*) FROM audit_records") == 0
    # What a migration does to rows it does to all of them.
    await db.run_script("UPDATE audit_records SET action = 'b'")
    assert await server.fetchval("SELECT 1") == 1
    actions = Query(sa.select(audit_records.c.action), str, across_stores=True)
    assert await db.all(actions) == ["b", "b"]
    await db.aclose()
    postgres.drop_database(url)
    await server.execute(f"DROP ROLE {name}")


async def test_rows_of_the_platform_are_written_by_all_and_read_across_stores(two: Two) -> None:
    topics = sa.select(outbox.outbox.c.topic).where(outbox.outbox.c.store_id.is_(None))
    own, all_ = Query(topics, str, store="store"), Query(topics, str, across_stores=True)
    before = await two.db.all(all_)
    publish = outbox.publish("platform.event", "s", AT)
    await two.db.commit(Batch(_NOTE_ALL(note="x", store=two.ours), publish))
    assert sorted(await two.db.all(all_)) == sorted([*before, "platform.event"])
    assert await two.db.all(own, store=two.ours) == []


async def test_work_across_stores_sees_them_all(two: Two, server: Any) -> None:
    db, later = two.db, two.world.clock.now() + timedelta(days=30)
    assert len(await order_sql.list_due_to_expire(db, later)) == 2
    assert await count_orders(db, OrderFilter()) == 2
    assert await count_orders(db, OrderFilter(store_id=two.ours)) == 1
    due = await db.all(outbox.DUE, now=later, limit=100)
    assert {event.store_id for event in due} >= {two.ours, two.theirs}
    await db.commit(Batch(outbox.claim(due, later)))
    assert await find_faults(db) == []
    await server.execute("UPDATE stock SET held = held + 1")
    await server.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    await server.execute("UPDATE ledger_entries SET dirhams = dirhams + 1 WHERE position = 0")
    assert len(await find_faults(db)) >= 3


async def test_the_store_is_named_before_its_rows_are_scanned(app: Any) -> None:
    await app.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    looked_at = 0
    for name, query in _STATEMENTS.items():
        if not isinstance(query, Query):
            continue
        read = compile_read(query, "postgresql")
        if "set_config" not in read.text:
            continue
        await app.execute(f"PREPARE looked AS {read.text}")
        nothing = ", ".join(["NULL"] * len(read.names))
        call = f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE looked({nothing})"
        (plan,) = json.loads(await app.fetchval(call.replace("()", "")))
        await app.execute("DEALLOCATE looked")
        assert _is_gated(plan["Plan"]), name
        looked_at += 1
    assert looked_at > 20


def _is_gated(node: dict[str, Any]) -> bool:
    """Whether every scan of private rows lies below the condition that names the store."""
    if node.get("One-Time Filter", "").endswith("IS NOT NULL)"):
        return True
    if node.get("Relation Name") in PRIVATE:
        return False
    # A subplan runs for rows that have come up through the condition.
    below = (each for each in node.get("Plans", ()) if each["Parent Relationship"] != "SubPlan")
    return all(map(_is_gated, below))


async def test_a_new_table_gets_the_policy_that_the_others_have(server: Any) -> None:
    await server.execute("CREATE TABLE parcels (store_id bigint NOT NULL)")
    for statement in row_security.policy_of("parcels"):
        await server.execute(statement)
    told = """
        SELECT p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid),
               pg_get_expr(p.polwithcheck, p.polrelid), c.relrowsecurity, c.relforcerowsecurity
        FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relname = $1"""
    assert await server.fetch(told, "parcels") == await server.fetch(told, "draft_orders")
