"""The contract suites of the three ports, on workerd's D1, KV and R2."""

import itertools
import random
from datetime import timedelta

import js  # type: ignore[import-not-found]

from eishro.clock import ManualClock
from eishro.edge import runtime
from eishro.edge.d1 import D1Database
from eishro.edge.kv import CloudflareKeyValue
from eishro.edge.r2 import R2Files
from tests.contracts.database import DatabaseContract
from tests.contracts.files import FilesContract
from tests.contracts.key_value import KeyValueContract

DATABASE = D1Database(js.testEnv.DB, "DB")
# The tables that the database contract writes.
_TABLES = ("stamps", "outbox", "audit_records", "id_blocks", "idempotency_keys", "edge_counters")
_numbers = itertools.count()


async def emptied() -> D1Database:
    await DATABASE.run_script(";".join(f"DELETE FROM {table}" for table in _TABLES))
    return DATABASE


class TestD1(DatabaseContract):
    async def db(self) -> D1Database:
        return await emptied()

    def rng(self) -> random.Random:
        return random.Random(js.testOptions.seed)


class TestKv(KeyValueContract):
    def __init__(self) -> None:
        self._clock = ManualClock()

    async def store(self) -> CloudflareKeyValue:
        for found in (await js.testEnv.KV.list()).keys:
            await js.testEnv.KV.delete(found.name)
        return CloudflareKeyValue(js.testEnv.KV, "KV", await emptied(), self._clock)

    def pass_time(self) -> object:
        async def turn(seconds: float) -> None:
            self._clock.turn(timedelta(seconds=seconds))

        return turn


class TestKvInTheIsolate(TestKv):
    """The same promises where counters are only counted in the isolate."""

    async def store(self) -> CloudflareKeyValue:
        store = await super().store()
        return CloudflareKeyValue(
            store._binding, "KV", DATABASE, self._clock, ("hits", "rate:general:")
        )


class TestR2(FilesContract):
    def files(self) -> R2Files:
        return R2Files(js.testEnv.FILES)

    def prefix(self) -> str:
        return f"t{next(_numbers)}/"


async def test_values_cross_the_border_and_back() -> None:
    value = {"n": [None, 2**53 - 1, -1, True], "t": "نص \U0001f6d2 \x00 '"}
    assert runtime.from_js(runtime.to_js(value)) == value
    assert runtime.bytes_from_js(runtime.bytes_to_js(bytes(range(256)))) == bytes(range(256))
