"""Changing delivery zones: no place in two active ones, and no order at a price that is gone."""

import asyncio
from typing import Any

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.shipping import zones_sql
from eishro.domain.shipping.zones import ZONES_MAX, Rate, Zone
from eishro.domain.stores import sql as stores
from eishro.errors import Invalid, ShopError
from eishro.flows.edit_zones import ZoneChange, delete_zone, update_zone
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio


async def _store(world: World, **settings: Any) -> int:
    merchant = await world.merchant(**settings)
    assert merchant.store is not None
    return merchant.store.id


async def _change(world: World, zone: Zone, **members: Any) -> Zone:
    change = ZoneChange(**members)
    return await update_zone(world.shop, zone.store_id, zone.id, change, TESTER, lambda _: None)


async def test_an_order_pays_one_of_the_zone_prices_that_held(world: World) -> None:
    store_id = await _store(world)
    state = await world.product(store_id, price=10_000)
    zone = await world.zone(store_id, "west", dirhams=1_000)
    prices = [2_000, 3_000, 4_000]

    async def reprice() -> None:
        for dirhams in prices:
            await _change(world, zone, rates=(Rate(method="standard", dirhams=dirhams),))

    outcomes = await asyncio.gather(
        reprice(), *(world.order(state) for _ in range(25)), return_exceptions=True
    )
    for outcome in outcomes[1:]:
        if isinstance(outcome, ShopError):
            continue
        assert not isinstance(outcome, BaseException), outcome
        assert outcome is not None
        assert outcome.order.shipping_dirhams in [1_000, *prices]
    assert (await world.order(state)).order.shipping_dirhams == 4_000
    assert await find_faults(world.db) == []


async def test_a_remembered_price_is_not_sold_at_after_the_zones_changed(world: World) -> None:
    """Orders are priced from memory; each kind of change moves the version that guards it."""
    store_id = await _store(world)
    state = await world.product(store_id)

    async def paid() -> int:
        return (await world.order(state)).order.shipping_dirhams

    assert [await paid(), await paid()] == [10_000, 10_000]
    zone = await world.zone(store_id, "*", dirhams=2_000)
    assert [await paid(), await paid()] == [2_000, 2_000]
    closer = await world.zone(store_id, "tripoli", dirhams=3_000)
    assert await paid() == 3_000
    await _change(world, closer, is_active=False)
    assert await paid() == 2_000
    await delete_zone(world.shop, store_id, zone.id, TESTER)
    assert await paid() == 10_000


async def test_of_twenty_at_once_one_zone_gets_the_place(world: World) -> None:
    store_id = await _store(world)
    outcomes = await asyncio.gather(
        *(world.zone(store_id, "misrata") for _ in range(20)), return_exceptions=True
    )
    made = [one for one in outcomes if isinstance(one, Zone)]
    refused = [one for one in outcomes if isinstance(one, Invalid)]
    assert (len(made), len(refused)) == (1, 19)
    assert all(set(one.faults) == {"places[0]"} for one in refused)
    assert [z.id for z in await zones_sql.list_zones(world.db, store_id)] == [made[0].id]


async def test_a_zone_that_is_off_may_name_what_another_has_until_it_is_on(world: World) -> None:
    store_id = await _store(world)
    on = await world.zone(store_id, "east", "misrata")
    off = await world.zone(store_id, "misrata", active=False)
    before = await stores.get_store(world.db, store_id)
    with pytest.raises(Invalid) as refused:
        await _change(world, off, is_active=True)
    assert on.name in refused.value.faults["places[0]"].ar
    assert (await stores.get_store(world.db, store_id)).version == before.version
    await _change(world, on, places=("east",))
    assert (await _change(world, off, is_active=True)).is_active
    # Places may be the zone's own already.
    await _change(world, off, places=("misrata", "zliten"))


async def test_a_store_has_so_many_zones_and_no_more(world: World) -> None:
    store_id = await _store(world)
    for _ in range(ZONES_MAX):
        await world.zone(store_id, active=False)
    with pytest.raises(Invalid) as refused:
        await world.zone(store_id)
    assert set(refused.value.faults) == {"name"}
    assert len(await zones_sql.list_zones(world.db, store_id)) == ZONES_MAX


async def test_a_place_of_another_store_s_zone_is_free_here(world: World) -> None:
    one, other = await _store(world), await _store(world)
    await world.zone(one, "tripoli", dirhams=1_000)
    await world.zone(other, "tripoli", dirhams=2_000)
    state = await world.product(other)
    assert (await world.order(state)).order.shipping_dirhams == 2_000
