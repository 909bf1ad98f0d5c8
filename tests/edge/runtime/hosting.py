"""Inside Pyodide: the Worker's own entry as the platform calls it, and a tiny test runner."""

import importlib
import inspect
import traceback
from collections import Counter
from typing import Any

import js  # type: ignore[import-not-found]

from eishro.edge.d1 import D1Database

# The file that is deployed, with the platform's own SDK behind it.
entry: Any = importlib.import_module("entry")

MIGRATED = ("DB", "DB_EAST")


async def migrate() -> None:
    """Apply the migration files to the databases, all but the one that stays empty."""
    for name in MIGRATED:
        db = D1Database(getattr(js.testEnv, name), name)
        for script in js.testTools.migrations():
            await db.run_script(script)


async def fetch(request: Any, env: Any, ctx: Any) -> Any:
    return await entry.Default(ctx, env).fetch(request)


async def scheduled(env: Any, ctx: Any) -> None:
    await entry.Default(ctx, env).scheduled(None)


def forget() -> None:
    """As if the isolate were new."""
    entry._WORKER.__init__()


async def run_checks(modules: Any) -> int:
    """Run each test of each module; print a line for each that fails, and what each suite passed."""
    failures = 0
    for name in modules:
        module = importlib.import_module(name)
        passed = Counter[str]()
        for test, call in tests_of(module):
            suite = test.partition(".")[0] if "." in test else name.rpartition(".")[2]
            try:
                await call()
                passed[suite] += 1
            except BaseException as error:
                failures += 1
                print(f"FAIL {name}.{test}: {error!r}")
                print("".join(traceback.format_exception(error)[-6:]))
        for suite, count in passed.items():
            print(f"{suite}: {count} passed", flush=True)
    return 1 if failures else 0


def tests_of(module: Any) -> Any:
    """Names and calls: `test_…` functions, and methods of `Test…` classes for each parameter."""
    for name, member in list(vars(module).items()):
        if name.startswith("test_"):
            yield name, member
        if name.startswith("Test") and inspect.isclass(member):
            for method in dir(member):
                if method.startswith("test_"):
                    yield from _cases(name, member, method)


def _cases(name: str, kind: Any, method: str) -> Any:
    marks = getattr(getattr(kind, method), "pytestmark", [])
    several = [mark for mark in marks if mark.name == "parametrize"]
    if len(several) > 1 or (several and not str(several[0].args[0]).isidentifier()):
        raise NotImplementedError(f"{name}.{method}: one list of values for one name is run here")
    values = several[0].args[1] if several else [None]
    for value in values:
        given = {several[0].args[0]: value} if several else {}

        async def call(given: dict[str, Any] = given) -> None:
            suite = kind()
            function = getattr(suite, method)
            for parameter in inspect.signature(function).parameters:
                if parameter not in given:
                    made = getattr(suite, parameter)()
                    given[parameter] = await made if inspect.isawaitable(made) else made
            await function(**given)

        yield f"{name}.{method}" + (f"[{value!r}]" if several else ""), call
