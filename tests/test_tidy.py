"""The code base reads its own code: what a checker does not know and a reader would trip over.

An exception is one line in `ALLOWED` with its reason.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400

ALLOWED = {
    ("src/eishro/domain/payments/port.py", "file too long"): "one contract, every word of it",
    ("src/eishro/db/migrations/versions/0001_first_schema.py", "file too long"):
        "generated from the tables, read once",
    ("src/eishro/web/api.py", "file too long"): "the route table: one row each",
    ("src/eishro/settings.py", "file too long"): "every setting with its meaning, in one place",
    ("src/eishro/web/products.py", "file too long"): "one resource: its wire structs and handlers",
    ("src/eishro/domain/orders/model.py", "file too long"): "an order, its moves and its errors",
    ("src/eishro/web/dispatch.py", "file too long"): "one concept: the way of a request",
    ("src/eishro/domain/accounts/sql.py", "file too long"): "people, sessions, members: one noun",
    ("src/eishro/web/stores.py", "file too long"): "one resource: its wire structs and handlers",
    ("src/eishro/flows/edit_product.py", "file too long"): "one verb: a product's whole change",
    ("src/eishro/sandbox/moamalat.py", "file too long"): "one gateway, as its papers say",
    ("src/eishro/clock.py", "datetime.now"): "the one place that asks the machine for the time",
    ("src/eishro/adapters/files/folder.py", "time.time"): "compared with a file's own time",
    ("src/eishro/db/audit_seals.py", "asyncio.sleep"): "a backlog must not hold up requests",
    ("src/eishro/jobs/background.py", "asyncio.sleep"): "the pause between two turns",
    ("src/eishro/flows/spare_time.py", "asyncio.sleep"): "requests go before what can wait",
    ("src/eishro/adapters/payments/moamalat_queries.py", "asyncio.sleep"): "long lists, in slices",
    ("src/eishro/adapters/payments/long_reading.py", "asyncio.sleep"): "long bodies, in slices",
    ("src/eishro/adapters/payments/moamalat_reading.py", "asyncio.sleep"): "long lists, in slices",
    ("src/eishro/flows/shop.py", "asyncio.sleep"): "those who met part by waiting unequally long",
    ("src/eishro/db/postgres.py", "asyncio.sleep"): "deadlocked batches part the same way",
    ("src/eishro/db/unhurried.py", "asyncio.sleep"): "others get their turn after each read",
    ("src/eishro/db/sqlite.py", "asyncio.sleep"): "a slice is over: the loop looks at others",
    ("src/eishro/flows/place_order.py", "asyncio.sleep"): "a reader goes between parts of an order",
    ("src/eishro/server/processes.py", "time.sleep"): "a process that looks after others alone",
    ("src/eishro/server/serving.py", "asyncio.sleep"): "the server's own look at its deadlines",
    ("src/eishro/server/serving.py", "time.time"): "the date that HTTP wants in an answer",
    ("src/eishro/sandbox/moamalat.py", "asyncio.sleep"): "a fault on request: delay",
    ("src/eishro/sandbox/moamalat_door.py", "asyncio.sleep"): "a fault on request: delay",
    ("src/eishro/sandbox/otp_door.py", "asyncio.sleep"): "a fault on request: delay",
    ("src/eishro/sandbox/tlync_door.py", "asyncio.sleep"): "a fault on request: delay",
    ("src/eishro/sandbox/door.py", "asyncio.sleep"): "a gateway's own retry",
    ("src/eishro/sandbox/stage.py", "asyncio.sleep"): "a fault on request: delay",
}  # fmt: skip

BANNED_CALLS = {
    "datetime.now": "shop.clock.now()",
    "datetime.utcnow": "shop.clock.now()",
    "time.time": "shop.clock.now()",
    "time.sleep": "the clock port",
    "asyncio.sleep": "the clock port; a job's own pause is an exception",
    "random.choice": "secrets, where it must not be guessed",
    "print": "a return value; the command alone prints",
    "eval": "nothing",
    "exec": "nothing",
}
BANNED_MODULE_NAMES = {"utils", "helpers", "common", "manager", "base", "misc"}


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _allowed(path: Path, what: str) -> bool:
    return (_relative(path), what) in ALLOWED


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_lines_functions_and_files_are_short() -> None:
    found = []
    for path in SOURCES:
        lines = _lines(path)
        found += [
            f"{_relative(path)}:{number}: line of {len(line)} characters"
            for number, line in enumerate(lines, 1)
            if len(line.partition("  # noqa")[0]) > LINE_LENGTH_MAX and "http" not in line
        ]
        if len(lines) > FILE_LINES_MAX and not _allowed(path, "file too long"):
            found.append(f"{_relative(path)}: {len(lines)} lines")
        is_migration = "migrations/versions" in _relative(path)
        found += [
            f"{_relative(path)}:{function.lineno}: {function.name} is too long"
            for function in _functions(ast.parse(path.read_text(encoding="utf-8")))
            if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES_MAX
            and not is_migration
        ]
    assert found == []


def test_nothing_calls_what_has_a_better_way() -> None:
    found = []
    for path in SOURCES:
        is_command = "/cli/" in _relative(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name not in BANNED_CALLS or _allowed(path, name) or (is_command and name == "print"):
                continue
            found.append(f"{_relative(path)}:{node.lineno}: {name}, use {BANNED_CALLS[name]}")
    assert found == []


def test_no_floats_and_no_assertions_in_the_product() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                found.append(f"{_relative(path)}:{node.lineno}: assert")
            in_money = path.name == "money.py" or "/ledger/" in _relative(path)
            if in_money and isinstance(node, ast.Constant) and isinstance(node.value, float):
                found.append(f"{_relative(path)}:{node.lineno}: a float near money")
    assert found == []


def test_no_user_text_in_like() -> None:
    found = [
        f"{_relative(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(_lines(path), 1)
        if re.search(r"\.(i?like|contains|startswith)\(", line) and "/sql.py" in _relative(path)
    ]
    assert found == []


def test_modules_have_names_that_say_something() -> None:
    found = [_relative(path) for path in SOURCES if path.stem in BANNED_MODULE_NAMES]
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        assert "migrations/versions" in _relative(path)
        return
    assert ast.get_docstring(ast.parse(text)), f"{_relative(path)} has no docstring"


def test_every_exception_is_still_needed() -> None:
    missing = [name for name, _ in ALLOWED if not (ROOT / name).exists()]
    assert missing == []


def test_the_project_speaks_of_itself_alone() -> None:
    words = re.compile(
        r"/wo" r"rk/(main|shared)|\.\./sha" r"red|\bTO" r"DO\b|\bFIX" r"ME\b|/ro" r"ot/",
        re.IGNORECASE,
    )
    found = [
        f"{_relative(path)}:{number}: {line.strip()[:80]}"
        for path in [*SOURCES, *TESTS, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
        if path != Path(__file__).resolve()
        for number, line in enumerate(_lines(path), 1)
        if words.search(line)
    ]
    assert found == []
