"""How SQLite finds the rows of each query. A plan is chosen without knowing the data, and once the
wrong one made each payment read all payments of its store: what may read a whole table, or all of a
store's rows, is named here with the reason.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import eishro
from eishro.db import migrate
from eishro.db.compiled import compile_read
from eishro.db.opening import open_database
from eishro.db.sqlite_file import connect
from eishro.db.statements import Query

pytestmark = pytest.mark.anyio

# Tables that have one row or a handful for each store, or as many as an operator reads.
SMALL = {
    "alembic_version",
    "api_keys",
    "categories",
    "gateway_credentials",
    "invitations",
    "ledger_balances",
    "memberships",
    "promotions",
    "reconciliations",
    "shipping_zones",
    "stores",
}
# Of these only what waits for people or is still open is in the index.
WAITING = {"ix_payments_review", "ix_suspense_items_waiting"}
# Commands and pages of the operator, who waits; reads on the loop are cut off after a second.
WHOLE_ON_PURPOSE = {
    "db.audit._COUNT_ALL": "the total of the whole trail's pages",
    "db.audit._COUNT_STORE": "the total of a trail's pages",
    "db.audit_seals._HEAD": "the newest one of a chain",
    "db.audit_seals._NEWEST": "the newest one",
    "db.audit_seals._SEALED": "the trail is checked in stretches",
    "db.audit_seals._TAIL": "the trail is checked from its end",
    "db.outbox.DEAD": "doctor",
    "domain.accounts.sql._OTHER_ADMIN": "ends at the first one",
    "domain.accounts.sql._USERS": "a page in the order of the key",
    "domain.accounts.sql._USER_COUNT": "the total of those pages",
    "domain.orders.buyers._NAMED": "erasing a person, by name where no phone is known",
    "domain.payments.transfers_sql._STATEMENTS": "a page in the order of the key",
    "domain.payments.transfers_sql._STATEMENTS_COUNT": "the total of those pages",
    "domain.payments.transfers_sql._TRANSFERS": "a page in the order of the key",
    "domain.drafts.sql._OF_PHONE_IN_STORE": "erasing a person; drafts are forgotten in time",
    "domain.payouts.sql._ALL_COUNT": "the total of its pages",
    "domain.payouts.sql._ALL_PAGE": "a page in the order of the key",
    "domain.payouts.sql._STORE_COUNT": "the total of its pages",
    "domain.payouts.sql._STORE_PAGE": "a page in the order of the key",
    "domain.shipping.cod_sql._LATE_UNSAID": "the daily look at cash that couriers keep",
    "domain.shipping.cod_sql._TILLS": "sums over the cash that couriers keep",
    "domain.suspense.sql._APPLIED_TO": "stranded money is rare",
    "domain.suspense.sql._STORE_COUNT": "stranded money is rare",
    "domain.suspense.sql._STORE_PAGE": "stranded money is rare",
    "domain.suspense.sql._STORE_WAITING_COUNT": "stranded money is rare",
    "domain.suspense.sql._STORE_WAITING_PAGE": "stranded money is rare",
    "domain.catalog.sql._SKUS": "an import of goods, once for each chunk",
}
_STEP = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (.*))?")
# By the store, or by what most of its rows have in common.
_BY_STORE = re.compile(r"\(store_id=\?( AND (provider|carrier|is_active)=\?)*\)$")


def _queries() -> Iterator[tuple[str, Query[object]]]:
    seen = set()
    for found in pkgutil.walk_packages(eishro.__path__, "eishro."):
        if not found.name.startswith(("eishro.db", "eishro.domain", "eishro.flows", "eishro.jobs")):
            continue
        if ".migrations" in found.name:
            continue
        for name, query in vars(importlib.import_module(found.name)).items():
            if isinstance(query, Query) and id(query) not in seen:
                seen.add(id(query))
                yield f"{found.name.removeprefix('eishro.')}.{name}", query


def _reads_whole(step: str) -> bool:
    """Whether it reads all of a table that grows, or all that a store has in it."""
    found = _STEP.match(step)
    if found is None or found[2] in SMALL or "VIRTUAL TABLE" in step or "CONSTANT ROW" in step:
        return False
    if any(index in step for index in WAITING):
        return False
    return found[1] == "SCAN" or bool(_BY_STORE.search(step))


async def test_no_query_reads_a_whole_table_or_a_whole_store_unless_it_is_meant_to(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.db"
    db = await open_database(f"sqlite:///{path}")
    await migrate.migrate(db)
    await db.aclose()
    # As the shop opens it: other builds of SQLite choose other plans.
    connection = connect(path, 1_000)
    reading: dict[str, list[str]] = {}
    count = 0
    for name, query in _queries():
        text = compile_read(query, "sqlite").text
        values = [1] * text.count("?")
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
        inner = set(re.findall(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)", " ".join(steps)))
        whole = [s for s in steps if _reads_whole(s) and s.split()[1] not in inner]
        count += 1
        if whole:
            reading[name] = whole
    connection.close()
    assert count > 200
    unknown = {name: steps for name, steps in reading.items() if name not in WHOLE_ON_PURPOSE}
    assert unknown == {}
    assert set(WHOLE_ON_PURPOSE) - set(reading) == set(), "named, and finds its rows by an index"
