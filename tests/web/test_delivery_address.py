"""An order goes to an address of the book of whoever is signed in, and to nobody else's."""

from typing import Any

import pytest

from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

_BOOK = {
    "name": "فاطمة", "phone": "0912345678", "city": "بنغازي", "address": "شارع جمال",
    "area": "الصابري", "landmark": "أمام المسجد", "notes": "الدور الثاني",
}  # fmt: skip


async def _counter(world: World, who: dict[str, str]) -> tuple[Any, int, int]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    return world.client(**who), merchant.store.id, state.product.id


async def _address(client: Any, **other: Any) -> str:
    made = await client.post("/api/auth/addresses", json={**_BOOK, **other})
    assert made.status_code == 201, made.text
    return str(made.json()["data"]["id"])


def _to(product: int, **shipping: Any) -> dict[str, Any]:
    return {**order_body(product, method="cod"), "shipping": shipping}


async def test_an_order_takes_the_address_of_the_book_as_it_is_now(world: World) -> None:
    client, store, product = await _counter(world, bearer(await world.customer()))
    book = await _address(client)
    written = {"city": "بنغازي", "area": "الصابري", "address": "شارع جمال، أمام المسجد"}
    path = f"/api/stores/{store}/quote"
    by_book = await client.post(path, json=_to(product, addressId=book))
    by_hand = await client.post(path, json=_to(product, **written))
    assert by_book.status_code == 200, by_book.text
    assert by_book.json()["data"] == by_hand.json()["data"]
    reply = await client.post(f"/api/stores/{store}/orders", json=_to(product, addressId=book))
    assert reply.status_code == 201, reply.text
    order = reply.json()["data"]
    shipping = order["shipping"]
    assert (shipping["city"], shipping["cityCode"]) == ("بنغازي", "benghazi")
    assert shipping["area"] == "الصابري"
    assert shipping["address"] == "شارع جمال، أمام المسجد"
    assert (shipping["notes"], shipping["method"]) == ("الدور الثاني", "standard")
    await client.put(f"/api/auth/addresses/{book}", json={"address": "شارع آخر"})
    again = (await client.get(f"/api/orders/{order['id']}")).json()["data"]
    assert again["shipping"] == shipping


async def test_notes_of_the_order_stand_for_those_of_the_book(world: World) -> None:
    client, store, product = await _counter(world, bearer(await world.customer()))
    to = {"addressId": await _address(client, landmark=None), "notes": "اتصل أولا"}
    reply = await client.post(f"/api/stores/{store}/orders", json=_to(product, **to))
    shipping = reply.json()["data"]["shipping"]
    assert (shipping["address"], shipping["notes"]) == ("شارع جمال", "اتصل أولا")


async def test_a_checkout_goes_to_the_book_s_address_from_every_store(world: World) -> None:
    client, first, product = await _counter(world, bearer(await world.customer()))
    merchant = await world.merchant()
    assert merchant.store is not None
    other = (await world.product(merchant.store.id)).product.id
    body = {
        **{name: order_body(1, method="cod")[name] for name in ("customer", "payment")},
        "shipping": {"addressId": await _address(client)},
        "orders": [
            {"storeId": store, "items": [{"productId": item, "quantity": 1}]}
            for store, item in ((first, product), (merchant.store.id, other))
        ],
    }
    reply = await client.post("/api/checkout", json=body)
    assert reply.status_code == 201, reply.text
    placed = reply.json()["data"]["orders"]
    assert [order["shipping"]["cityCode"] for order in placed] == ["benghazi"] * 2


@pytest.mark.parametrize("path", ["/api/stores/{}/quote", "/api/stores/{}/orders"])
async def test_only_the_own_book_is_opened(world: World, path: str) -> None:
    client, store, product = await _counter(world, bearer(await world.customer()))
    book = await _address(client)
    owner = await world.merchant()
    strangers = [{}, bearer(await world.customer()), await world.api_key(owner, "orders:write")]
    for who in strangers:
        reply = await world.client(**who).post(
            path.format(store), json=_to(product, addressId=book)
        )
        assert reply.status_code == 422, reply.text
        assert set(reply.json()["error"]["details"]) == {"shipping.addressId"}
        assert "جمال" not in reply.text
    await client.delete(f"/api/auth/addresses/{book}")
    gone = await client.post(path.format(store), json=_to(product, addressId=book))
    assert gone.status_code == 422


@pytest.mark.parametrize(
    ("shipping", "faults"),
    [
        ({}, {"shipping.city", "shipping.address"}),
        ({"city": "طرابلس"}, {"shipping.address"}),
        ({"addressId": None}, {"shipping.city", "shipping.address"}),
        ({"addressId": "adr_" + "0" * 26, "city": "طرابلس"}, {"shipping.addressId"}),
        ({"addressId": "adr_" + "0" * 26, "address": "شارع"}, {"shipping.addressId"}),
        ({"addressId": "adr_" + "0" * 26, "area": "حي"}, {"shipping.addressId"}),
        ({"addressId": "adr_1"}, {"shipping.addressId"}),
        ({"addressId": 7, "city": 7}, {"shipping.addressId", "shipping.city"}),
    ],
)
async def test_either_the_book_or_city_and_address(
    world: World, shipping: dict[str, Any], faults: set[str]
) -> None:
    client, store, product = await _counter(world, bearer(await world.customer()))
    body = {**_to(product, **shipping), "payment": {}}
    reply = await client.post(f"/api/stores/{store}/orders", json=body)
    assert reply.status_code == 422, reply.text
    assert set(reply.json()["error"]["details"]) == {*faults, "payment.method"}
