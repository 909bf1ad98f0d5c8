"""How the demo stores deliver: everywhere, dearer the farther it is."""

from datetime import UTC, datetime

import pytest

from eishro.domain.shipping.cities import CITIES
from eishro.domain.shipping.rates import DeliveryPlan, options, store_plan
from eishro.domain.shipping.zones import Zone, faults_of_places, faults_of_rates
from eishro.sandbox.demo_catalogue import STORES
from eishro.sandbox.demo_model import DemoStore
from eishro.sandbox.demo_zones import zones_of

AT = datetime(2026, 1, 15, tzinfo=UTC)


def _zones(demo: DemoStore) -> list[Zone]:
    return [
        Zone(
            id=f"zon_{number}", store_id=1, name=str(change.name), name_en=str(change.name_en),
            places=change.places or (), rates=change.rates or (), is_active=True,
            position=number, created_at=AT, updated_at=AT, version=1,
        )
        for number, change in enumerate(zones_of(demo))
    ]  # fmt: skip


def _plan(demo: DemoStore) -> DeliveryPlan:
    return store_plan(_zones(demo), rate_dirhams=0, free_above_dirhams=None)


def _standard(demo: DemoStore, city: str, grams: int = 500) -> int:
    found = options(_plan(demo), city, goods_dirhams=0, weight_grams=grams, is_cod=True)
    return {each.method: each.charge.dirhams for each in found}["standard"]


@pytest.mark.parametrize("demo", STORES, ids=lambda demo: demo.slug)
def test_a_demo_store_delivers_everywhere_for_a_courier_s_fee(demo: DemoStore) -> None:
    zones = _zones(demo)
    for number, zone in enumerate(zones):
        assert faults_of_places(zone.places, zones[:number]) == {}
        assert faults_of_rates(zone.rates) == {}
    prices = {city.code: _standard(demo, city.code) for city in CITIES}
    assert all(10_000 <= price <= 60_000 for price in prices.values())
    assert prices[demo.city] == min(prices.values()) < prices["sabha"] == max(prices.values())
    assert _standard(demo, "sabha", 12_000) == prices["sabha"] + 7_000
