"""What a batch becomes for D1: no database is needed to see that."""

import apsw
import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Write, insert_once, upsert
from eishro.edge.d1_limits import BeyondD1Limit
from eishro.edge.d1_plan import GUARD, plan
from eishro.edge.d1_scripts import split_script
from eishro.edge.tables import GUARDS_MAX, edge_schema
from eishro.errors import Conflict
from tests.edge.platform import tool

_INSERT = Write(sa.insert(stamps))
_ONCE = Write(insert_once(stamps))
_REPLACE = Write(upsert(stamps, where=stamps.c.last <= sa.bindparam("most")))
_MOVE = Write(
    sa.update(stamps)
    .where(stamps.c.name == sa.bindparam("key"))
    .values(last=stamps.c.last + sa.bindparam("by"))
)


class Refusal(Conflict):
    """A guard's error."""


def texts(batch: Batch) -> list[str]:
    return [step.sql for step in plan(batch).steps]


def test_a_guard_stands_behind_each_value_of_a_guarded_statement() -> None:
    moves = _MOVE.each([{"key": "a", "by": 1}, {"key": "b", "by": 2}]).guarded(Refusal())
    planned = plan(Batch(_INSERT(name="x", last=1), moves))
    assert [step.sql == GUARD for step in planned.steps] == [False, False, True, False, True]
    assert [step.parameters for step in planned.steps if step.sql == GUARD] == [[0, 1], [1, 1]]


def test_the_failed_check_names_the_statement() -> None:
    first, second = Refusal(), Refusal()
    planned = plan(Batch(_MOVE(key="a", by=1).guarded(first), _MOVE(key="b", by=1).guarded(second)))
    message = "D1_ERROR: CHECK constraint failed: guard_{}: SQLITE_CONSTRAINT (extended: …)"
    assert planned.error_of(message.format(0)) is first
    assert planned.error_of(message.format(1)) is second
    assert planned.error_of("D1_ERROR: CHECK constraint failed: ck_stock_available") is None


def test_a_guarded_insert_puts_up_with_a_taken_key_and_leaves_it_to_its_guard() -> None:
    (sql, guard) = texts(Batch(_INSERT(name="a", last=1).guarded(Refusal())))
    assert sql.endswith(" ON CONFLICT DO NOTHING")
    assert guard == GUARD
    (plain,) = texts(Batch(_INSERT(name="a", last=1)))
    assert "ON CONFLICT" not in plain


def test_like_inserts_are_one_statement_with_one_parameter() -> None:
    rows = [{"name": f"n{n}", "last": n} for n in range(1500)]
    for write, tail in ((_INSERT, ""), (_ONCE, " ON CONFLICT DO NOTHING")):
        (step,) = plan(Batch(write.each(rows))).steps
        assert step.sql.endswith(f"FROM json_each(?) WHERE true{tail}")
        assert isinstance(step.parameters[0], str)
        assert msgspec.json.decode(step.parameters[0])[7] == ["n7", 7]


def test_a_conflict_clause_with_a_value_of_its_own_stays_row_by_row() -> None:
    rows = [{"name": n, "last": 1, "most": 5} for n in "abc"]
    assert len(plan(Batch(_REPLACE.each(rows))).steps) == 3


def test_many_large_rows_are_split_below_the_limit_of_a_value() -> None:
    rows = [{"name": f"{n}" + "x" * 300_000, "last": n} for n in range(10)]
    steps = plan(Batch(_INSERT.each(rows))).steps
    assert len(steps) == 4
    assert all(len(str(step.parameters[0])) <= 1_000_000 for step in steps)


def test_more_guards_than_there_are_checks_are_refused() -> None:
    batch = Batch(*(_MOVE(key="a", by=1).guarded(Refusal()) for _ in range(GUARDS_MAX + 1)))
    with pytest.raises(BeyondD1Limit, match="guarded statements: 501"):
        plan(batch)


def test_scripts_are_split_and_triggers_stay_whole() -> None:
    script = """
        -- a comment; with a semicolon
        CREATE TABLE a (x TEXT DEFAULT ';', "b;c" TEXT);
        CREATE TRIGGER t AFTER INSERT ON a BEGIN
            UPDATE a SET x = CASE WHEN x = 'END' THEN ';' ELSE x END;
            DELETE FROM a;
        END;
        /* ; */ INSERT INTO a VALUES ('it''s; fine', NULL)
    """
    statements = split_script(script)
    assert [statement.split()[0] for statement in statements] == ["CREATE", "CREATE", "/*"]
    assert statements[1].endswith("END")
    with pytest.raises(ValueError, match="transactions"):
        split_script("BEGIN; DELETE FROM a; COMMIT")


def test_the_migration_files_make_the_same_tables_as_the_line_of_revisions() -> None:
    from eishro.db import migrate

    made = []
    for scripts in (
        tool("d1_migrations").render().values(),
        [migrate.render("sqlite"), *edge_schema()],
    ):
        database = apsw.Connection(":memory:")
        for script in scripts:
            list(database.execute(script))  # to its end: revisions return a row
        wanted = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2"
        made.append(list(database.execute(wanted)))
        revision = list(database.execute("SELECT version_num FROM alembic_version"))
        assert revision == [(migrate.head(),)]
    assert made[0] == made[1]


def test_guards_and_bulk_inserts_are_sqlite_s_own_language() -> None:
    database = apsw.Connection(":memory:")
    for statement in [*edge_schema(), "CREATE TABLE stamps (name TEXT PRIMARY KEY, last INT)"]:
        database.execute(statement)
    for step in plan(Batch(_INSERT.each([{"name": n, "last": 1} for n in "ab"]))).steps:
        database.execute(step.sql, step.parameters)
    planned = plan(Batch(_MOVE(key="nobody", by=1).guarded(Refusal())))
    with pytest.raises(apsw.ConstraintError, match="guard_0"):
        for step in planned.steps:
            database.execute(step.sql, step.parameters)
    assert list(database.execute("SELECT count(*) FROM stamps")) == [(2,)]
