"""Take the store's filter out of each statement in turn: something must notice.

What notices is a step of the street that uses the statement: an answer of the API that should not
be, or a row of the neighbour that changed. Where an id alone already leads to the right rows, no
request can show that the filter works; there the statement itself is sent with our ids for the
neighbour's store, and must find and change nothing of ours.

`EISHRO_TEST_MUTANTS=all` tries every one on PostgreSQL too, with row-level security off; without
it only a few there.
"""

import contextlib
import itertools
import os
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from eishro.db.schema import METADATA
from eishro.db.statements import Query, Write
from eishro.db.tenancy import tables_of
from eishro.flows.price_list import PriceList
from tests.security.crossing import RecordingDatabase
from tests.security.inventory import filters_of, kind_of, sql_of, statements
from tests.security.street import STEPS, Step, Street, Trespass, build, rows_of, walk
from tests.servers.postgres import Postgres
from tests.shops import changed, open_world

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "statements.md"
SOME = 3  # on PostgreSQL, where each needs copies of a whole database
_USED: dict[str, dict[int, Query[Any] | Write]] = {}  # by step
_NO_ROW_SECURITY = ";".join(
    f"ALTER TABLE {table} {switch} ROW LEVEL SECURITY"
    for table in METADATA.tables
    for switch in ("NO FORCE", "DISABLE")
)


class Mutant(NamedTuple):
    """A statement that is to lose its filters, and the steps that use it."""

    name: str
    statement: Query[Any] | Write
    steps: tuple[Step, ...]


class Block:
    """A street that was built once; every step is taken on a copy of its database."""

    def __init__(self, url: str, folder: Path, postgres: Postgres | None) -> None:
        self._url = url
        self._folder = folder
        self._postgres = postgres
        self.is_sampled = postgres is not None
        self._street: Street

    async def build(self) -> None:
        """Fill the database that copies are made of; nothing but statements guards its stores."""
        async with open_world(self._url, self._folder) as world:
            if self._postgres is not None:
                await world.db.run_script(_NO_ROW_SECURITY)
            self._street = await build(world)

    async def take(self, step: Step, *, crosses: bool = False) -> dict[int, Query[Any] | Write]:
        """Take the step; the filtered statements that it uses.

        Raises:
            Trespass
        """
        street = self._street
        ours, theirs = street.ours["store"], street.theirs["store"]
        async with self._copied() as url, open_world(url, self._folder) as world:
            rows = world.db
            before = await rows_of(rows, theirs)
            db = RecordingDatabase(rows, ours, theirs if crosses else None)
            world.shop = changed(world.shop, db=db, prices=PriceList(db))
            await walk(world, street, step)
            if db.trespass is not None:
                raise db.trespass
            if not crosses and step.job is None:
                _compare(step, before, await rows_of(rows, theirs))
        return db.used

    @contextlib.asynccontextmanager
    async def _copied(self) -> AsyncIterator[str]:
        if self._postgres is not None:
            url = self._postgres.create_database(template=self._url)
            yield url
            self._postgres.drop_database(url)
            return
        street = Path(self._url.removeprefix("sqlite:///"))
        path = street.with_name("copy.db")
        shutil.copyfile(street, path)
        yield f"sqlite:///{path}"
        for left in street.parent.glob("copy.db*"):
            left.unlink()


def _compare(step: Step, before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    for table, rows in after.items():
        if rows != before[table]:
            changed_rows = sorted(set(rows) ^ set(before[table]))
            raise Trespass(f"{step.name}: the neighbour's {table} changed: {changed_rows}")


@pytest.fixture
async def block(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Block:
    """A street of this engine."""
    is_sqlite = database_url.startswith("sqlite")
    postgres = None if is_sqlite else request.getfixturevalue("postgres")
    block = Block(database_url, tmp_path, postgres)
    await block.build()
    return block


def test_every_statement_says_whose_rows_it_touches() -> None:
    assert [s.name for s in statements() if kind_of(s.statement) == "untold"] == []


def test_statements_over_several_stores_are_listed() -> None:
    """They are not filtered but tested by caller (test_matrix.py), so a new one is looked at."""
    if os.environ.get("EISHRO_WRITE_STATEMENTS"):
        PAGE.write_text(_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == _page()


def _page() -> str:
    rows = sorted(
        f"| `{name.removeprefix('eishro.')}` | {kind_of(statement)} | {_tables(statement)} |"
        for name, statement in statements()
        if kind_of(statement) in ("across stores", "platform")
    )
    return "\n".join(
        (
            "# Statements over several stores",
            "",
            "Every other statement filters by one store, and `tests/security/test_mutants.py` shows for each",
            "that something notices when the filter is gone. These work over several stores, find out whose",
            "a thing is, or touch rows that no store owns; who may call what they serve is shown by",
            "`tests/security/test_matrix.py`. After a change that is meant:",
            "`EISHRO_WRITE_STATEMENTS=1 pytest tests/security/test_mutants.py`.",
            "",
            "| Statement | Kind | Tables |",
            "|---|---|---|",
            *rows,
            "",
        )
    )


def _tables(statement: Query[Any] | Write) -> str:
    sql = sql_of(statement)
    written = {sql.table.name} if isinstance(statement, Write) else set()
    return ", ".join(f"`{name}`" for name in sorted(written | set(tables_of(sql))))


async def test_a_filter_that_is_gone_is_noticed(block: Block, rng: random.Random) -> None:
    is_sampled = block.is_sampled and os.environ.get("EISHRO_TEST_MUTANTS") != "all"
    if not (is_sampled and _USED):  # who uses what is the same on every engine
        _USED.update({step.name: await block.take(step) for step in STEPS})
        assert _unused(_USED) == []
    mutants = list(_mutants(_USED))
    if is_sampled:
        mutants = rng.sample(mutants, SOME)
    for step in {step.name: step for mutant in mutants for step in mutant.steps}.values():
        await block.take(step, crosses=True)
    lived = [mutant for mutant in mutants if not await _is_noticed(block, mutant)]
    assert [mutant.name for mutant in lived] == []


def _mutants(used: dict[str, dict[int, Query[Any] | Write]]) -> Iterator[Mutant]:
    """Of the statements that the steps use, also those made for a list's filters."""
    names = {id(found.statement): found.name for found in statements()}
    known = {key: statement for each in used.values() for key, statement in each.items()}
    for key, statement in known.items():
        steps = tuple(step for step in STEPS if key in used[step.name])
        name = names.get(key, f"a list of {_tables(statement)}, made for {steps[0].name}")
        yield Mutant(name, statement, steps)


def _unused(used: dict[str, dict[int, Query[Any] | Write]]) -> list[str]:
    """Filtered statements that no step uses."""
    known = {key for each in used.values() for key in each}
    return [
        found.name
        for found in statements()
        if kind_of(found.statement) == "filtered" and id(found.statement) not in known
    ]


async def _is_noticed(block: Block, mutant: Mutant) -> bool:
    with _without_filter(mutant):
        for step, crosses in itertools.product(mutant.steps, (False, True)):
            try:
                await block.take(step, crosses=crosses)
            except Trespass:
                return True
    return False


@contextlib.contextmanager
def _without_filter(mutant: Mutant) -> Iterator[None]:
    statement = mutant.statement
    whole, compiled = sql_of(statement), statement.compiled
    gone = filters_of(statement)

    def replaced(element: Any, **_: object) -> Any:
        # Always true; the values that the statement takes stay.
        is_gone = any(element is each for each in gone)
        return sa.cast(element.right, sa.BigInteger).is_not(None) if is_gone else None

    part: Any = visitors.replacement_traverse(whole, {}, replaced)
    _put(statement, part, {})
    try:
        yield
    finally:
        _put(statement, whole, compiled)


def _put(statement: Query[Any] | Write, sql: Any, compiled: dict[str, Any]) -> None:
    if isinstance(statement, Query):
        statement.select = sql
    else:
        statement.sql = sql
    statement.compiled = compiled
