"""The sealed audit trail: whatever is done to a sealed line, `eishro doctor` sees it."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from eishro.db import audit, audit_seals
from eishro.db.audit import Actor, audit_records
from eishro.db.audit_seals import audit_seals as seals
from eishro.db.statements import Batch, Write
from eishro.jobs.seal_audit import SETTLED, seal_audit, sweep_audit
from eishro.keyring import Keyring
from tests.shops import World

pytestmark = pytest.mark.anyio


async def _write(world: World, count: int, store_id: int | None = 1) -> None:
    for number in range(count):
        await world.db.commit(
            Batch(
                audit.record(
                    Actor(name="user:1", request_id="r", address="a"),
                    "thing.done",
                    number,
                    world.clock.now(),
                    store_id=store_id,
                    number=number,
                )
            )
        )
        world.clock.turn(timedelta(milliseconds=5))


async def _breaks(world: World) -> list[str]:
    return await audit_seals.find_breaks(world.db, world.shop.keyring, 20)


async def _sealed(world: World, count: int = 5) -> None:
    await _write(world, count)
    world.clock.turn(SETTLED + timedelta(seconds=1))
    assert await seal_audit(world.shop) == count
    assert await _breaks(world) == []


async def _change(world: World, write: Write, **values: object) -> None:
    await world.db.commit(Batch(write(**values)))


async def test_a_line_is_sealed_once_and_the_tail_is_told(world: World) -> None:
    await _sealed(world)
    assert await seal_audit(world.shop) == 0
    assert await audit_seals.find_tail(world.db) == (0, None)
    await _write(world, 2)
    count, oldest = await audit_seals.find_tail(world.db)
    assert count == 2
    assert oldest is not None
    assert oldest < world.clock.now()


async def test_an_edited_line_is_found(world: World) -> None:
    await _sealed(world)
    edit = Write(
        sa.update(audit_records)
        .where(audit_records.c.subject_id == sa.bindparam("key"))
        .values(actor="user:2"),
        across_stores=True,
    )
    await _change(world, edit, key="2")
    (found,) = await _breaks(world)
    assert "number 3" in found
    assert "changed" in found


@pytest.mark.parametrize("column", ["action", "changes", "request_id", "address", "at", "store_id"])
async def test_every_field_is_covered(world: World, column: str) -> None:
    await _sealed(world)
    value: object = 7 if column in ("at", "store_id") else "{}"
    edit = Write(
        sa.update(audit_records)
        .where(audit_records.c.subject_id == sa.bindparam("key"))
        .values({column: sa.literal(value)}),
        across_stores=True,
    )
    await _change(world, edit, key="0")
    assert len(await _breaks(world)) == 1


async def test_a_deleted_line_is_found(world: World) -> None:
    await _sealed(world)
    delete = Write(
        sa.delete(audit_records).where(audit_records.c.subject_id == sa.bindparam("key")),
        across_stores=True,
    )
    await _change(world, delete, key="4")
    (found,) = await _breaks(world)
    assert "was deleted" in found


async def test_a_line_taken_out_with_its_seal_is_found(world: World) -> None:
    await _sealed(world)
    delete = Write(
        sa.delete(seals).where(seals.c.number == sa.bindparam("key")), across_stores=True
    )
    await _change(world, delete, key=2)
    found = await _breaks(world)
    assert any("1 seals are missing" in one for one in found)


async def test_two_lines_that_change_places_are_found(world: World) -> None:
    await _sealed(world)
    swap = Write(
        sa.update(seals)
        .where(seals.c.number == sa.bindparam("key"))
        .values(number=sa.bindparam("to")),
        across_stores=True,
    )
    for here, there in ((2, 99), (3, 2), (99, 3)):
        await _change(world, swap, key=here, to=there)
    assert len(await _breaks(world)) >= 2


async def test_a_chain_made_anew_without_the_key_is_found(world: World) -> None:
    await _sealed(world)
    forger = Keyring(["somebody else's secret, as long as ours"])
    assert len(await audit_seals.find_breaks(world.db, forger, 20)) == 5


async def test_stores_have_chains_of_their_own(world: World) -> None:
    for store_id in (1, 2, None, 1, 2):
        await _write(world, 1, store_id)
    world.clock.turn(SETTLED + timedelta(seconds=1))
    assert await seal_audit(world.shop) == 5
    assert await _breaks(world) == []


async def test_many_sealers_at_once_make_one_chain(world: World) -> None:
    await _write(world, 50)
    world.clock.turn(SETTLED + timedelta(seconds=1))
    await asyncio.gather(*(seal_audit(world.shop) for _ in range(8)))
    while await seal_audit(world.shop):
        pass
    assert await _breaks(world) == []
    assert await audit_seals.find_tail(world.db) == (0, None)


async def test_a_line_that_came_late_is_swept_up(world: World) -> None:
    early = world.clock.now()
    await _sealed(world)
    # A batch that took longer than all others: its line is older than the newest seal.
    await world.db.commit(Batch(audit.record(Actor(name="slow"), "x", 1, early, store_id=1)))
    world.clock.turn(SETTLED)
    assert await seal_audit(world.shop) == 0
    assert await sweep_audit(world.shop) == 1
    assert await _breaks(world) == []


async def test_more_lines_than_one_batch_are_sealed_in_order(world: World) -> None:
    count = audit_seals.BATCH_MAX * 2 + 10
    await _write(world, count)
    world.clock.turn(SETTLED + timedelta(seconds=1))
    assert await seal_audit(world.shop) == count
    assert await _breaks(world) == []
