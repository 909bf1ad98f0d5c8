"""Couriers' files: what fits is booked once, everything else is flagged and moves nothing."""

import asyncio
import random
from datetime import timedelta

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.shipping import cod_sql
from eishro.domain.shipping import remittances_sql as remittances
from eishro.domain.shipping.remittance_file import FileRow
from eishro.errors import Stale
from eishro.flows import import_remittance as flow
from eishro.flows.flag_late_cash import flag_late_cash
from eishro.flows.import_remittance import Imported, RemittanceFile, preview_remittance
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.shop import NotOnce
from tests.books import balances_of_store
from tests.flows.test_collect_cash import TOTAL, Courier
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


def _file(courier: Courier, *rows: tuple[str, int, int], name: str = "a.csv") -> RemittanceFile:
    read = tuple(FileRow(n, t, a, f, None) for n, (t, a, f) in enumerate(rows, 2))
    return RemittanceFile(
        store_id=courier.store_id, carrier="amyal", name=name, hash=name + str(rows), rows=read
    )


async def _import(world: World, file: RemittanceFile) -> Imported:
    return await flow.import_remittance(world.shop, file, TESTER, NotOnce())


def _outcomes(imported: Imported) -> list[str]:
    return [row.outcome for row in imported.rows]


async def test_every_difference_is_flagged_and_only_what_fits_is_booked(world: World) -> None:
    courier = await Courier(world).come()
    for number in ("A-1", "A-2", "A-3", "A-4", "A-5"):
        parcel = await courier.parcel(number)
        if number == "A-5":
            change = ShipmentChange(status="returned")
            await change_shipment(world.shop, parcel.id, change, TESTER)
        elif number != "A-4":
            await courier.collect(parcel.order_id)
    await _import(world, _file(courier, ("A-3", TOTAL, 0), name="before.csv"))
    file = _file(
        courier,
        ("A-1", TOTAL, 5_000),
        ("A-2", TOTAL - 500, 5_000),
        ("A-1", TOTAL, 5_000),
        ("A-3", TOTAL, 5_000),
        ("A-4", TOTAL, 5_000),
        ("A-5", TOTAL, 5_000),
        ("A-9", TOTAL, 5_000),
    )
    wanted = [
        "matched",
        "amount_differs",
        "duplicate_row",
        "already_remitted",
        "not_collected",
        "order_cancelled",
        "unknown_tracking",
    ]
    before = await balances_of_store(world.db, courier.store_id)
    preview = await preview_remittance(world.shop, file, TESTER)
    assert (_outcomes(preview), preview.is_dry_run) == (wanted, True)
    assert await balances_of_store(world.db, courier.store_id) == before
    assert await remittances.count_remittances(world.db, courier.store_id) == 1
    imported = await _import(world, file)
    assert _outcomes(imported) == wanted
    assert imported.remittance.amount_dirhams == TOTAL
    after = await balances_of_store(world.db, courier.store_id)
    moved = {a: after.get(a, 0) - before.get(a, 0) for a in after.keys() | before.keys()}
    assert {a: d for a, d in moved.items() if d} == {
        "courier:amyal": -TOTAL,
        "cash": TOTAL - 5_000,
        "courier_fees": 5_000,
    }
    (case,) = await cod_sql.list_cases(world.db, courier.store_id, "open", 10, 0)
    assert (case.kind, case.stage, case.amount_dirhams) == ("short", "remittance", TOTAL - 500)
    assert await find_faults(world.db) == []


async def test_a_short_remittance_that_people_accept_is_booked_as_short(world: World) -> None:
    courier = await Courier(world).come()
    parcel = await courier.parcel("A-1")
    await courier.collect(parcel.order_id)
    await _import(world, _file(courier, ("A-1", TOTAL - 500, 5_000)))
    (case,) = await cod_sql.list_cases(world.db, courier.store_id, "open", 10, 0)
    await courier.resolve(case, "accept")
    books = await balances_of_store(world.db, courier.store_id)
    assert (books["cash"], books["courier_fees"], books["cod_short"]) == (55_500, 5_000, 500)
    assert "courier:amyal" not in books
    (collection,) = await cod_sql.list_collections(world.db, [parcel.order_id])
    assert (collection.state, collection.short_dirhams) == ("short", 500)
    assert await find_faults(world.db) == []


async def test_late_cash_that_comes_after_all_closes_its_case(world: World) -> None:
    courier = await Courier(world).come()
    await courier.collect((await courier.parcel("A-1")).order_id)
    world.clock.turn(timedelta(days=8))
    assert await flag_late_cash(world.shop) == 1
    await _import(world, _file(courier, ("A-1", TOTAL, 0)))
    (case,) = await cod_sql.list_cases(world.db, courier.store_id, None, 10, 0)
    assert (case.kind, case.state, case.resolution) == ("late", "resolved", "dismiss")
    assert await flag_late_cash(world.shop) == 0
    assert await find_faults(world.db) == []


async def test_the_same_file_twice_changes_nothing(world: World) -> None:
    courier = await Courier(world).come()
    for number in ("A-1", "A-2"):
        await courier.collect((await courier.parcel(number)).order_id)
    file = _file(courier, ("A-1", TOTAL, 1_000), ("A-2", 5, 0), ("A-7", 5, 0))
    first = await _import(world, file)
    books = await balances_of_store(world.db, courier.store_id)
    for again in [await _import(world, file), await preview_remittance(world.shop, file, TESTER)]:
        assert again.rows == first.rows
        assert again.remittance.id == first.remittance.id
    assert await balances_of_store(world.db, courier.store_id) == books
    assert await remittances.count_remittances(world.db, courier.store_id) == 1
    assert await cod_sql.count_cases(world.db, courier.store_id, None) == 1
    assert await find_faults(world.db) == []


async def test_a_file_sent_again_books_what_has_been_collected_since(world: World) -> None:
    courier = await Courier(world).come()
    parcel = await courier.parcel("A-1")
    file = _file(courier, ("A-1", TOTAL, 0))
    assert _outcomes(await _import(world, file)) == ["not_collected"]
    await courier.collect(parcel.order_id)
    assert _outcomes(await _import(world, file)) == ["matched"]
    assert (await balances_of_store(world.db, courier.store_id))["cash"] == TOTAL
    assert await find_faults(world.db) == []


async def test_one_file_sent_five_times_at_once_is_booked_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "ROWS_AT_ONCE", 2)
    courier = await Courier(world).come()
    rows = []
    for number in range(5):
        parcel = await courier.parcel(f"A-{number}")
        await courier.collect(parcel.order_id)
        rows.append((f"A-{number}", TOTAL, 1_000))
    file = _file(courier, *rows)
    outcomes = await asyncio.gather(
        *(_import(world, file) for _ in range(5)), return_exceptions=True
    )
    assert all(_outcomes(o) == ["matched"] * 5 for o in outcomes if isinstance(o, Imported))
    assert all(isinstance(o, Imported | Stale) for o in outcomes)
    books = await balances_of_store(world.db, courier.store_id)
    assert (books["cash"], books["courier_fees"]) == (5 * (TOTAL - 1_000), 5_000)
    assert "courier:amyal" not in books
    assert await remittances.count_remittances(world.db, courier.store_id) == 1
    assert await find_faults(world.db) == []


class _Crash(Exception):
    pass


async def test_an_import_that_broke_off_is_finished_by_sending_the_file_again(
    world: World, monkeypatch: pytest.MonkeyPatch, rng: random.Random
) -> None:
    monkeypatch.setattr(flow, "ROWS_AT_ONCE", 2)
    courier = await Courier(world).come()
    rows = []
    for number in range(7):
        parcel = await courier.parcel(f"A-{number}")
        await courier.collect(parcel.order_id)
        rows.append((f"A-{number}", TOTAL, 1_000))
    file = _file(courier, *rows)
    commit, left = world.db.commit, rng.randrange(4)

    class _Breaking:
        def __getattr__(self, name: str) -> object:
            return getattr(world.db, name)

        async def commit(self, batch: object) -> None:
            nonlocal left
            if left == 0:
                raise _Crash
            left -= 1
            await commit(batch)  # type: ignore[arg-type]

    broken = changed(world.shop, db=_Breaking())
    with pytest.raises(_Crash):
        await flow.import_remittance(broken, file, TESTER, NotOnce())
    assert await find_faults(world.db) == []
    assert _outcomes(await _import(world, file)) == ["matched"] * 7
    assert (await balances_of_store(world.db, courier.store_id))["cash"] == 7 * (TOTAL - 1_000)
    assert await find_faults(world.db) == []


async def test_another_store_s_parcels_are_unknown(world: World) -> None:
    courier, other = await Courier(world).come(), await Courier(world).come()
    parcel = await other.parcel("A-1")
    await other.collect(parcel.order_id)
    imported = await _import(world, _file(courier, ("A-1", TOTAL, 0)))
    assert _outcomes(imported) == ["unknown_tracking"]
    assert await balances_of_store(world.db, courier.store_id) == {}
