"""Whose rows: every table has its place, and every statement says whose it touches.

What works over several stores is listed by `tests/security/test_mutants.py`.
"""

import importlib
import pkgutil
from typing import Any

import pytest
import sqlalchemy as sa

import eishro
from eishro.db.compiled import compile_read, compile_write
from eishro.db.schema import METADATA
from eishro.db.statements import Batch, Query, Statement, Write
from eishro.db.tenancy import (
    PLATFORM,
    PRIVATE,
    PUBLIC,
    NoTenant,
    is_of_stores,
    named,
    store_value,
)
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import listing
from eishro.domain.orders.sql import orders
from tests.security.inventory import flat


def _statements() -> dict[str, Query[Any] | Write]:
    found: dict[str, Query[Any] | Write] = {}
    for package in ("cli", "db", "domain", "flows", "jobs", "web"):
        folder = importlib.import_module(f"eishro.{package}")
        for info in pkgutil.walk_packages(folder.__path__, f"eishro.{package}."):
            if ".migrations" in info.name or info.name.endswith("__main__"):
                continue
            for kept, held in vars(importlib.import_module(info.name)).items():
                for name, value in flat(kept, held):
                    if isinstance(value, Query | Write) and value not in found.values():
                        found[f"{info.name.removeprefix('eishro.')}:{name}"] = value
    return found


_STATEMENTS = _statements()


def test_every_table_is_the_platform_s_or_its_rows_have_a_store() -> None:
    assert eishro.__name__ and _STATEMENTS  # every noun is imported by now
    kinds = [set(PLATFORM) - {"alembic_version"}, set(PUBLIC), set(PRIVATE)]
    assert set.union(*kinds) == set(METADATA.tables)
    assert sum(map(len, kinds)) == len(METADATA.tables)
    for name, table in METADATA.tables.items():
        assert ("store_id" in table.c) is (name in (PUBLIC | PRIVATE) - {"stores"}), name


def test_every_statement_on_rows_of_stores_says_whose() -> None:
    assert len(_STATEMENTS) > 80
    for name, statement in _STATEMENTS.items():
        try:
            if isinstance(statement, Query):
                compile_read(statement, "postgresql")
            elif is_of_stores(statement):
                store_value(statement, compile_write(statement, "postgresql").names)
        except NoTenant as error:
            pytest.fail(f"{name}: {error}")


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("has_customer", [False, True])
def test_a_list_of_orders_without_a_store_is_one_across_stores(
    has_store: bool, has_customer: bool
) -> None:
    filters = ("store_id",) * has_store + ("customer_user_id",) * has_customer
    for query in (listing._page_query(filters), listing._count_query(filters)):
        text = compile_read(query, "postgresql").text
        assert ("set_config('eishro.stores', '*', true)" in text) is not has_store
        assert "set_config('eishro.stores', " in text


def test_a_filter_that_is_lost_is_told_at_the_first_use() -> None:
    with pytest.raises(NoTenant):
        compile_read(Query(sa.select(orders.c.id).limit(5), str), "postgresql")
    compile_read(Query(sa.select(orders.c.id).limit(5), str), "sqlite")
    lost = Write(sa.update(orders).values(notes=None))
    with pytest.raises(NoTenant):
        store_value(lost, compile_write(lost, "postgresql").names)


def test_a_setting_holds_numbers_alone() -> None:
    assert named([]) == "{}"
    assert named([3, None]) == "{3}"
    with pytest.raises(ValueError, match="invalid literal"):
        named(["1}' OR true"])


def test_public_reads_pay_nothing() -> None:
    for name in ("domain.catalog.listing:_CARD", "domain.stores.sql:_FRONT_BY_ID"):
        query = _STATEMENTS[name]
        assert isinstance(query, Query)
        assert "set_config" not in compile_read(query, "postgresql").text


def test_batches_that_go_together_name_all_their_stores() -> None:
    from eishro.db.postgres_plan import Plans

    write = Write(sa.insert(ledger_entries))
    row = {column.name: None for column in ledger_entries.c}

    def statement(store_id: int) -> Statement:
        return write(**{**row, "store_id": store_id})

    plans = Plans()
    bound = [plans.bind(Batch(statement(store), statement(store))) for store in (7, 8)]
    first, second = bound
    assert first is not None
    assert second is not None
    assert first.plan.parameters([first])[-1] == "{7}"
    assert first.plan.parameters([first, second])[-1] in ("{7,8}", "{8,7}")
