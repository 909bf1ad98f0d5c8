"""Delivery over HTTP: zones for merchants, rates for buyers, and orders that cost just that."""

from typing import Any

import httpx
import pytest

from tests.shops import World, bearer, order_body
from tests.web.right_bodies import RIGHT_BODIES

pytestmark = pytest.mark.anyio

ZONE = RIGHT_BODIES["POST /api/stores/{store_id}/shipping-zones"]


class Counter:
    """A merchant's store, its own client and everybody's."""

    def __init__(self, world: World, merchant: Any) -> None:
        self.store_id: int = merchant.store.id
        self.path = f"/api/stores/{self.store_id}"
        self.zones = f"{self.path}/shipping-zones"
        self.merchant = world.client(**bearer(merchant))
        self.guest = world.client()

    async def zone(self, *places: str, **members: Any) -> Any:
        rates = members.pop("rates", None) or [{"method": "standard", "rate": 15}]
        body = {"name": "منطقة", "places": list(places), "rates": rates, **members}
        return _data(await self.merchant.post(self.zones, json=body), 201)

    async def rates(self, city: str, **query: Any) -> Any:
        reply = await self.guest.get(f"{self.path}/shipping-rates", params={"city": city, **query})
        return _data(reply)

    async def prices(self, city: str, **query: Any) -> dict[str, float]:
        return {each["method"]: each["price"] for each in await self.rates(city, **query)}

    async def settings(self, **shipping: Any) -> None:
        body = {"settings": {"shipping": shipping}}
        _data(await self.merchant.put(self.path, json=body))


async def _counter(world: World) -> Counter:
    return Counter(world, await world.merchant())


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


def _faults(reply: httpx.Response) -> dict[str, str]:
    assert reply.status_code == 422, reply.text
    details: dict[str, str] = reply.json()["error"]["details"]
    return details


async def test_what_is_sent_of_a_zone_is_what_is_read(world: World) -> None:
    counter = await _counter(world)
    made = _data(await counter.merchant.post(counter.zones, json=ZONE), 201)
    path = f"{counter.zones}/{made['id']}"
    assert made["id"].startswith("zon_")
    assert made["places"] == ["tripoli", "LY-BA", "west"]
    whole: dict[str, Any] = {"freeAbove": None, "weightSteps": [], "perKilogram": None, "codFee": 0,
             "codAllowed": True, "daysMin": None, "daysMax": None}  # fmt: skip
    assert made["rates"] == [{**whole, **rate} for rate in ZONE["rates"]]
    assert _data(await counter.merchant.get(path)) == made
    listed = await counter.merchant.get(counter.zones)
    assert listed.json()["pagination"]["total"] == 1
    assert _data(listed) == [made]
    # What was read can be sent back; what is left out stays.
    sent = {name: made[name] for name in ("name", "nameEn", "places", "rates", "isActive")}
    changed = _data(await counter.merchant.put(path, json=sent))
    assert {**changed, "updatedAt": 0} == {**made, "updatedAt": 0}
    changed = _data(await counter.merchant.put(path, json={"name": "الغرب"}))
    assert (changed["name"], changed["rates"]) == ("الغرب", made["rates"])
    assert _data(await counter.merchant.delete(path))["id"] == made["id"]
    for method in ("GET", "DELETE", "PUT"):
        body = {"name": "x"} if method == "PUT" else None
        assert (await counter.merchant.request(method, path, json=body)).status_code == 404


async def test_zones_come_by_position_in_pages(world: World) -> None:
    counter = await _counter(world)
    for position, place in ((2, "east"), (0, "west"), (1, "south")):
        await counter.zone(place, position=position)
    listed = await counter.merchant.get(counter.zones, params={"limit": 2, "page": 1})
    assert [zone["places"] for zone in _data(listed)] == [["west"], ["south"]]
    rest = await counter.merchant.get(counter.zones, params={"limit": 2, "page": 2})
    assert [zone["places"] for zone in _data(rest)] == [["east"]]
    assert rest.json()["pagination"]["totalPages"] == 2


async def test_a_stale_zone_is_not_changed(world: World) -> None:
    counter = await _counter(world)
    zone = await counter.zone("*")
    path = f"{counter.zones}/{zone['id']}"
    etag = (await counter.merchant.get(path)).headers["ETag"]
    first = {"If-Match": etag}
    _data(await counter.merchant.put(path, json={"name": "أولا"}, headers=first))
    late = await counter.merchant.put(path, json={"name": "ثانيا"}, headers=first)
    assert late.status_code == 412


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"places": []}, {"places"}),
        ({"places": ["*"] * 201}, {"places"}),
        ({"places": ["باريس", "LY-XX", "", 5, None]}, {f"places[{n}]" for n in range(5)}),
        ({"places": ["tripoli", "طرابلس"]}, {"places[1]"}),
        ({"rates": [{"method": "drone", "rate": 1}]}, {"rates[0].method"}),
        ({"rates": [{"method": "standard", "rate": -1}]}, {"rates[0].rate"}),
        ({"rates": [{"method": "standard", "rate": 0.0001}]}, {"rates[0].rate"}),
        ({"rates": [{"method": "standard", "rate": "5"}]}, {"rates[0].rate"}),
        ({"rates": [{"method": "standard"}]}, {"rates[0].rate"}),
        ({"rates": [{"method": "standard", "rate": 1, "price": 2}]}, {"rates[0].price"}),
        ({"rates": [{"method": "standard", "rate": 1}] * 2}, {"rates[1].method"}),
        ({"rates": [{"method": "standard", "rate": 1, "daysMin": 3, "daysMax": 2}]},
         {"rates[0].daysMax"}),
        ({"rates": [{"method": "standard", "rate": 1,
                     "weightSteps": [{"upToGrams": 0, "extra": 1}]}]},
         {"rates[0].weightSteps[0].upToGrams"}),
        ({"rates": [{"method": "standard", "rate": 1,
                     "weightSteps": [{"upToGrams": 1, "extra": 1}] * 21}]},
         {"rates[0].weightSteps"}),
        ({"rates": [{"method": "standard", "rate": 1,
                     "weightSteps": [{"upToGrams": 2, "extra": 1}, {"upToGrams": 1, "extra": 0}]}]},
         {"rates[0].weightSteps[1].upToGrams", "rates[0].weightSteps[1].extra"}),
        ({"name": " ", "isActive": 1, "position": -1}, {"name", "isActive", "position"}),
    ],
)  # fmt: skip
async def test_a_zone_that_is_not_right_names_every_fault_and_changes_nothing(
    world: World, members: dict[str, Any], fields: set[str]
) -> None:
    counter = await _counter(world)
    body = {"name": "منطقة", "places": ["*"], "rates": [], **members}
    assert set(_faults(await counter.merchant.post(counter.zones, json=body))) == fields
    assert _data(await counter.merchant.get(counter.zones)) == []
    assert await counter.prices("tripoli") == {"standard": 10}


async def test_a_place_in_two_active_zones_is_refused_by_name(world: World) -> None:
    counter = await _counter(world)
    await counter.zone("LY-SB", "murzuq", name="الجنوب القريب")
    body = {"name": "x", "places": ["الكفرة", "مرزق"], "rates": []}
    reply = await counter.merchant.post(counter.zones, json=body, headers={"Accept-Language": "ar"})
    (fault,) = _faults(reply).items()
    assert fault[0] == "places[1]"
    assert "مرزق" in fault[1]
    assert "الجنوب القريب" in fault[1]


async def test_a_store_without_zones_delivers_everywhere_at_its_rate(world: World) -> None:
    counter = await _counter(world)
    await counter.settings(defaultRate=12.5, freeAbove=200)
    (option,) = await counter.rates("Al Jawf", subtotal="199.999")
    assert (option["method"], option["price"], option["freeAbove"]) == ("standard", 12.5, 200)
    assert [step["reason"] for step in option["reasons"]] == ["store_rate"]
    (free,) = await counter.rates("سبها", subtotal="200")
    assert free["price"] == 0
    assert [(s["reason"], s["value"]) for s in free["reasons"]] == [
        ("store_rate", 12.5),
        ("free_above_threshold", -12.5),
    ]


async def test_a_quote_an_order_and_the_rates_agree(world: World) -> None:
    counter = await _counter(world)
    steps = [{"upToGrams": 1000, "extra": 0}, {"upToGrams": 5000, "extra": 4}]
    standard = {"method": "standard", "rate": 20, "codFee": 2.25, "weightSteps": steps}
    express = {"method": "express", "rate": 35, "codAllowed": False, "daysMin": 1, "daysMax": 2}
    zone = await counter.zone("LY-BA", name="بنغازي", rates=[standard, express])
    await counter.zone("*", rates=[{"method": "standard", "rate": 50}])
    state = await world.product(counter.store_id, price=10_100, weight_grams=400)
    found = {
        (city, method, cod): prices[method]
        for city in ("بنغازي", "Qaminis", "Tobruk")
        for cod in (False, True)
        for prices in [await counter.prices(city, weightGrams=1200, subtotal="30.3", cod=cod)]
        for method in prices
    }
    assert found == {
        ("بنغازي", "standard", False): 24, ("بنغازي", "standard", True): 26.25,
        ("بنغازي", "express", False): 35, ("Qaminis", "standard", False): 24,
        ("Qaminis", "standard", True): 26.25, ("Qaminis", "express", False): 35,
        ("Tobruk", "standard", False): 50, ("Tobruk", "standard", True): 50,
    }  # fmt: skip
    for (city, method, cod), price in found.items():
        body = order_body(state.product.id, 3, method="cod" if cod else "moamalat")
        body["shipping"] |= {"city": city, "method": method}
        quote = _data(await counter.guest.post(f"{counter.path}/quote", json=body))
        order = _data(await counter.guest.post(f"{counter.path}/orders", json=body), 201)
        assert quote["shippingCost"] == order["shippingCost"] == price, (city, method, cod)
        assert order["total"] == pytest.approx(30.3 + price)
        assert order["shipping"]["method"] == method
        assert sum(step["value"] for step in quote["steps"]) == pytest.approx(price)
        assert quote["reasons"]["shippingCost"] == "zone_rate"
    (first, *_) = await counter.rates("بنغازي")
    assert first["reasons"][0]["facts"] == {
        "zoneId": zone["id"],
        "zone": "بنغازي",
        "method": "standard",
    }


async def test_what_the_store_does_not_serve_is_refused_with_the_items_faults(
    world: World,
) -> None:
    counter = await _counter(world)
    only = {"method": "express", "rate": 20, "codAllowed": False}
    await counter.zone("tripoli", rates=[only])
    state = await world.product(counter.store_id, stock=3)

    async def refused(city: str, method: str, pay: str, product_id: int) -> dict[str, str]:
        body = order_body(product_id, method=pay)
        body["shipping"] |= {"city": city, "method": method}
        for path in ("quote", "orders"):
            reply = await counter.guest.post(
                f"{counter.path}/{path}", json=body, headers={"Accept-Language": "ar"}
            )
            faults = _faults(reply)
        return faults

    known = state.product.id
    assert list(await refused("benghazi", "express", "moamalat", known)) == ["shipping.city"]
    assert list(await refused("tripoli", "standard", "moamalat", known)) == ["shipping.method"]
    assert list(await refused("tripoli", "pickup", "moamalat", known)) == ["shipping.method"]
    assert list(await refused("tripoli", "express", "cod", known)) == ["payment.method"]
    both = await refused("benghazi", "express", "moamalat", 999_999)
    assert set(both) == {"shipping.city", "items[0].productId"}
    assert both["shipping.city"] == "المتجر لا يوصل إلى هذه المدينة."
    assert await counter.rates("benghazi") == []
    seen = _data(await counter.merchant.get(f"/api/products/{known}"))
    assert seen["variants"][0]["stock"] == 3
    body = order_body(known)
    body["shipping"]["method"] = "by drone"
    assert list(_faults(await counter.guest.post(f"{counter.path}/orders", json=body))) == [
        "shipping.method"
    ]


async def test_collecting_is_free_where_the_store_allows_it(world: World) -> None:
    counter = await _counter(world)
    await counter.zone("east")
    state = await world.product(counter.store_id)
    body = order_body(state.product.id, method="cod")
    body["shipping"] |= {"method": "pickup"}
    assert list(_faults(await counter.guest.post(f"{counter.path}/orders", json=body))) == [
        "shipping.method"
    ]
    await counter.settings(pickup={"enabled": True, "address": "شارع النصر، بنغازي"})
    (option,) = await counter.rates("tripoli", cod=True)
    assert (option["method"], option["price"]) == ("pickup", 0)
    assert option["pickupAddress"] == "شارع النصر، بنغازي"
    order = _data(await counter.guest.post(f"{counter.path}/orders", json=body), 201)
    assert (order["shippingCost"], order["shipping"]["method"]) == (0, "pickup")


@pytest.mark.parametrize(
    ("step", "shipping", "total"),
    [(0, 10, 35.505), (0.25, 10.245, 35.75), (0.5, 10.495, 36), (1, 10.495, 36)],
)
async def test_cash_is_rounded_up_as_part_of_delivery(
    world: World, step: float, shipping: float, total: float
) -> None:
    counter = await _counter(world)
    await counter.settings(codRounding=step)
    state = await world.product(counter.store_id, price=25_505)
    for method, expected in (("cod", (shipping, total)), ("moamalat", (10, 35.505))):
        body = order_body(state.product.id, method=method)
        quote = _data(await counter.guest.post(f"{counter.path}/quote", json=body))
        order = _data(await counter.guest.post(f"{counter.path}/orders", json=body), 201)
        assert (order["shippingCost"], order["total"]) == expected
        assert (quote["shippingCost"], quote["total"]) == expected
        reasons = [each["reason"] for each in quote["steps"]]
        assert ("cod_rounding" in reasons) is (expected[0] != 10)


@pytest.mark.parametrize("step", [-1, 0.1, 2, "0.25", True])
async def test_cash_is_rounded_to_coins_and_notes_that_there_are(world: World, step: Any) -> None:
    counter = await _counter(world)
    reply = await counter.merchant.put(
        counter.path, json={"settings": {"shipping": {"codRounding": step}}}
    )
    assert list(_faults(reply)) == ["settings.shipping.codRounding"]


async def test_rates_follow_the_zones_at_once(world: World) -> None:
    """The answer is kept, and checked against the store's version."""
    counter = await _counter(world)
    zone = await counter.zone("*")
    assert await counter.prices("tripoli") == {"standard": 15}
    path = f"{counter.zones}/{zone['id']}"
    rates = [{"method": "standard", "rate": 16}]
    _data(await counter.merchant.put(path, json={"rates": rates}))
    assert await counter.prices("tripoli") == {"standard": 16}
    await counter.merchant.delete(path)
    assert await counter.prices("tripoli") == {"standard": 10}


@pytest.mark.parametrize(
    "query",
    [
        {}, {"city": "باريس"}, {"city": ""}, {"city": "tripoli", "weightGrams": "-1"},
        {"city": "tripoli", "weightGrams": "1.5"}, {"city": "tripoli", "weightGrams": "9" * 30},
        {"city": "tripoli", "subtotal": "1e3"}, {"city": "tripoli", "subtotal": "-1"},
        {"city": "tripoli", "cod": "perhaps"},
    ],
)  # fmt: skip
async def test_rates_for_nothing_in_particular_are_refused(
    world: World, query: dict[str, str]
) -> None:
    counter = await _counter(world)
    reply = await counter.guest.get(f"{counter.path}/shipping-rates", params=query)
    assert list(_faults(reply)) == [list(query)[-1] if query else "city"]


async def test_weights_are_everybody_s_to_see_and_a_variant_s_own_counts(world: World) -> None:
    counter = await _counter(world)
    body = {
        "name": "كتاب", "price": 5, "weightGrams": 700,
        "variants": [{"options": {"size": "S"}}, {"options": {"size": "L"}, "weightGrams": 1500}],
    }  # fmt: skip
    made = _data(await counter.merchant.post(f"{counter.path}/products", json=body), 201)
    path = f"/api/products/{made['id']}"

    async def seen() -> tuple[int | None, list[int | None]]:
        for client in (counter.guest, counter.merchant):
            shown = _data(await client.get(path))
        return shown["weightGrams"], [v["weightGrams"] for v in shown["variants"]]

    assert await seen() == (700, [700, 1500])
    await counter.zone(
        "*",
        rates=[{"method": "standard", "rate": 1, "perKilogram": {"aboveGrams": 0, "extra": 1}}],
    )

    async def shipping(*quantities: int) -> float:
        order = order_body(made["id"])
        order["items"] = [
            {"productId": made["id"], "variantId": variant["id"], "quantity": quantity}
            for variant, quantity in zip(made["variants"], quantities, strict=True)
        ]
        placed = _data(await counter.guest.post(f"{counter.path}/orders", json=order), 201)
        cost: float = placed["shippingCost"]
        return cost

    assert await shipping(1, 1) == 1 + 3
    assert await shipping(2, 2) == 1 + 5
    _data(await counter.merchant.put(path, json={"weightGrams": 1000}))
    assert await seen() == (1000, [1000, 1500])
    assert await shipping(1, 1) == 1 + 3
    assert await shipping(2, 2) == 1 + 5
    # What is left out of a variant stays; null gives it the product's again.
    variants = [{"options": {"size": "S"}}, {"options": {"size": "L"}, "weightGrams": None}]
    _data(await counter.merchant.put(path, json={"variants": variants, "weightGrams": None}))
    assert await seen() == (None, [None, None])
    assert await shipping(9, 9) == 1
    for wrong in (-1, 1.5, "7", 1_000_001):
        reply = await counter.merchant.put(path, json={"weightGrams": wrong})
        assert list(_faults(reply)) == ["weightGrams"]


async def test_cities_tell_their_district_and_districts_their_region(world: World) -> None:
    client = world.client()
    districts = _data(await client.get("/api/locations/districts"))
    assert len(districts) == 22
    by_code = {district["code"]: district for district in districts}
    assert by_code["LY-WS"] == {
        "code": "LY-WS", "nameAr": "وادي الشاطئ", "nameEn": "Wadi al Shati", "seat": "brak",
        "region": "south",
    }  # fmt: skip
    cities = _data(await client.get("/api/locations/cities"))
    assert all(city["district"] in by_code for city in cities)
    assert {city["code"]: city["district"] for city in cities}["misrata"] == "LY-MI"
