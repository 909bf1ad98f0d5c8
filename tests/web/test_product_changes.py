"""Changing products: what is not sent stays, what cannot be meant is refused by name."""

from typing import Any

import httpx
import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


class Shelf:
    """A store's owner with one product."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str], made: Any) -> None:
        self.client = client
        self.headers = headers
        self.product = made

    async def put(self, **members: Any) -> httpx.Response:
        path = f"/api/products/{self.product['id']}"
        return await self.client.put(path, json=members, headers=self.headers)


async def _shelf(world: World, **members: Any) -> Shelf:
    owner = await world.merchant()
    assert owner.store is not None
    client = world.client()
    body = {"name": "قميص", "price": 20, **members}
    made = await client.post(
        f"/api/stores/{owner.store.id}/products", json=body, headers=bearer(owner)
    )
    assert made.status_code == 201, made.text
    return Shelf(client, bearer(owner), made.json()["data"])


def _stocks(reply: httpx.Response) -> dict[str, Any]:
    variants = reply.json()["data"]["variants"]
    return {v["options"].get("size", ""): v["stock"] for v in variants}


async def test_a_new_size_of_a_counted_product_begins_with_none(world: World) -> None:
    shelf = await _shelf(world, sizes=["S", "M"], stock=7)
    reply = await shelf.put(sizes=["S", "M", "L"])
    assert _stocks(reply) == {"S": 7, "M": 7, "L": 0}
    again = await shelf.put(sizes=["S", "M", "L", "XL"], stock=3)
    assert _stocks(again) == {"S": 3, "M": 3, "L": 3, "XL": 3}


async def test_a_new_size_of_an_uncounted_product_is_not_counted(world: World) -> None:
    shelf = await _shelf(world, sizes=["S"])
    assert _stocks(await shelf.put(sizes=["S", "M"])) == {"S": None, "M": None}


async def test_a_variant_keeps_what_is_not_sent(world: World) -> None:
    first = {"options": {"size": "S"}, "sku": "A-S", "price": 25, "stock": 4}
    second = {"options": {"size": "M"}, "sku": "A-M", "price": 26, "stock": 5}
    shelf = await _shelf(world, variants=[first, second])
    reply = await shelf.put(variants=[{"options": {"size": "S"}, "stock": 9}, second])
    (small, medium) = reply.json()["data"]["variants"]
    assert (small["sku"], small["price"], small["stock"]) == ("A-S", 25, 9)
    assert medium["sku"] == "A-M"
    cleared = await shelf.put(variants=[{"options": {"size": "S"}, "sku": None, "price": None}])
    (small,) = cleared.json()["data"]["variants"]
    assert (small["sku"], small["price"], small["stock"]) == (None, 20, 9)


async def test_variants_are_not_taken_away_by_an_empty_list(world: World) -> None:
    shelf = await _shelf(world, sizes=["S", "M"])
    reply = await shelf.put(variants=[])
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["variants"])


@pytest.mark.parametrize("members", [{"sizes": ["S", "M"]}, {"variants": None}])
async def test_a_sku_is_one_variant_s(world: World, members: dict[str, Any]) -> None:
    shelf = await _shelf(world, sizes=["S", "M"])
    sent = {name: value for name, value in members.items() if value is not None}
    reply = await shelf.put(sku="A-1", **sent)
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["sku"])
    alone = await _shelf(world, sku="A-2")
    assert alone.product["variants"][0]["sku"] == "A-2"
    changed = await alone.put(sku="A-3")
    assert changed.json()["data"]["variants"][0]["sku"] == "A-3"


async def test_every_variant_that_is_like_another_is_named(world: World) -> None:
    shelf = await _shelf(world)
    reply = await shelf.put(
        variants=[
            {"options": {"size": "S"}, "sku": "A"},
            {"options": {"size": "M"}, "sku": "A"},
            {"options": {"size": "S"}, "sku": "B"},
        ]
    )
    assert reply.status_code == 422
    assert sorted(reply.json()["error"]["details"]) == ["variants[1].sku", "variants[2].options"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/products?minPrice=cheap", "minPrice"),
        ("/api/products?maxPrice=1.2345", "maxPrice"),
        ("/api/products?cursor=x", "cursor"),
        ("/api/products?cursor=5&sort=price", "cursor"),
        ("/api/products?category=قمصان", "category"),
    ],
)
@pytest.mark.parametrize("language", ["ar", "en"])
async def test_a_faulty_filter_is_named_in_words(
    world: World, path: str, field: str, language: str
) -> None:
    reply = await world.client().get(path, headers={"Accept-Language": language})
    assert reply.status_code == 422
    ((named, words),) = reply.json()["error"]["details"].items()
    assert named == field
    assert "^" not in words
    assert words not in ("must be text", "يجب أن يكون نصا")
    assert any("\u0600" <= c <= "\u06ff" for c in words) is (language == "ar")


@pytest.mark.parametrize("nothing", ["\u200b", "\u202e\u200f", " \ufeff ", "\u3164", "\u2060"])
async def test_a_name_shows_something(world: World, nothing: str) -> None:
    shelf = await _shelf(world)
    for member in ({"name": nothing}, {"sizes": ["S", nothing]}, {"category": nothing}):
        reply = await shelf.put(**member)
        assert reply.status_code == 422, member
    assert (await shelf.put(name=f"قميص{nothing}")).status_code == 200
