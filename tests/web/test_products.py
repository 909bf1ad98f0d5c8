"""Products over HTTP: making, reading, changing, variants, stock, prices."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio


async def _own(world: World) -> tuple[httpx.AsyncClient, str]:
    """A merchant's client and the path of the store."""
    merchant = await world.merchant()
    assert merchant.store is not None
    return world.client(**bearer(merchant)), f"/api/stores/{merchant.store.id}"


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


async def _make(client: httpx.AsyncClient, path: str, **members: Any) -> dict[str, Any]:
    body = {"name": "قميص قطني", "price": 25.5, **members}
    made: dict[str, Any] = _data(await client.post(f"{path}/products", json=body), 201)
    return made


def _faults(reply: httpx.Response) -> set[str]:
    assert reply.status_code == 422, reply.text
    return set(reply.json()["error"]["details"])


async def test_a_plain_product_has_one_variant_and_untracked_stock(world: World) -> None:
    client, path = await _own(world)
    product = await _make(client, path)
    assert product["currency"] == "LYD"
    assert product["status"] == "active"
    assert product["inStock"] is True
    (variant,) = product["variants"]
    assert variant["options"] == {}
    assert (variant["stock"], variant["available"]) == (None, True)
    read = _data(await world.client().get(f"/api/products/{product['id']}"))
    del variant["stock"]
    assert read == product


async def test_what_is_sent_is_what_is_read(world: World) -> None:
    client, path = await _own(world)
    body = {
        "name": "قميص", "nameEn": "Shirt", "description": "وصف", "descriptionEn": "Words",
        "price": 25.505, "compareAtPrice": 30, "category": "قمصان", "sizes": ["S", "M"],
        "images": ["/media/a.webp", "https://cdn.example.ly/b.webp"],
        "colors": [{"name": "أحمر", "value": "#f00"}], "status": "draft",
    }  # fmt: skip
    product = await _make(client, path, **body)
    assert {name: product[name] for name in body} == body
    assert _data(await client.get(f"/api/products/{product['id']}")) == product


async def test_sizes_times_colours_are_the_variants(world: World) -> None:
    client, path = await _own(world)
    colors = [{"name": "أحمر", "value": "#f00"}, {"name": "أزرق"}]
    product = await _make(client, path, sizes=["S", "M", "L"], colors=colors, stock=4)
    options = [tuple(sorted(v["options"].items())) for v in product["variants"]]
    assert len(set(options)) == 6
    assert {tuple(sorted(v["options"].values())) for v in product["variants"]} == {
        tuple(sorted((size, color["name"]))) for size in ("S", "M", "L") for color in colors
    }
    assert {v["stock"] for v in product["variants"]} == {4}
    assert len({v["id"] for v in product["variants"]}) == 6


async def test_variants_of_one_s_own_keep_price_sku_and_stock(world: World) -> None:
    client, path = await _own(world)
    variants = [
        {"options": {"size": "S"}, "sku": "A-S", "price": 20, "stock": 0},
        {"options": {"size": "M"}, "sku": "A-M"},
    ]
    small, medium = (await _make(client, path, variants=variants, stock=7))["variants"]
    assert (small["sku"], small["price"], small["stock"]) == ("A-S", 20, 0)
    assert (medium["sku"], medium["price"], medium["stock"]) == ("A-M", 25.5, 7)
    assert (small["available"], medium["available"]) == (False, True)


async def test_variants_must_differ_in_options_and_sku(world: World) -> None:
    client, path = await _own(world)
    same = [{"options": {"size": "S"}}, {"options": {"size": "S"}}]
    reply = await client.post(f"{path}/products", json={"name": "x", "price": 1, "variants": same})
    assert _faults(reply) == {"variants[1].options"}
    skus = [{"options": {"size": "S"}, "sku": "A"}, {"options": {"size": "M"}, "sku": "A"}]
    reply = await client.post(f"{path}/products", json={"name": "x", "price": 1, "variants": skus})
    assert _faults(reply) == {"variants[1].sku"}
    many = [{"options": {"size": str(n)}} for n in range(101)]
    reply = await client.post(f"{path}/products", json={"name": "x", "price": 1, "variants": many})
    assert _faults(reply) == {"variants"}
    sizes = {"sizes": [str(n) for n in range(50)], "colors": [{"name": str(n)} for n in range(3)]}
    reply = await client.post(f"{path}/products", json={"name": "x", "price": 1, **sizes})
    assert _faults(reply) == {"variants"}


@pytest.mark.parametrize("price", ["0", "0.001", "25.5", "25.505", "1e2", "999999999.999"])
async def test_a_price_is_kept_to_the_dirham(world: World, price: str) -> None:
    client, path = await _own(world)
    made = await client.post(f"{path}/products", content=f'{{"name":"x","price":{price}}}')
    product_id = _data(made, 201)["id"]
    reply = await world.client().get(f"/api/products/{product_id}")
    read = json.loads(reply.content, parse_float=Decimal)["data"]
    assert Decimal(read["price"]) == Decimal(price)
    assert Decimal(read["variants"][0]["price"]) == Decimal(price)


@pytest.mark.parametrize("price", ["25.5005", "-0.001", "1e10", "NaN", "Infinity", '"25"', "null"])
async def test_an_amount_that_is_no_amount_is_refused(world: World, price: str) -> None:
    client, path = await _own(world)
    made = await _make(client, path)
    for method, where in (("POST", f"{path}/products"), ("PUT", f"/api/products/{made['id']}")):
        reply = await client.request(method, where, content=f'{{"name":"x","price":{price}}}')
        if price in ("NaN", "Infinity"):
            assert reply.status_code == 400
        else:
            assert _faults(reply) == {"price"}


async def test_a_change_touches_only_what_is_sent(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path, sizes=["S", "M"], stock=3, category="قمصان")
    where = f"/api/products/{made['id']}"
    after = _data(await client.put(where, json={"price": 30}))
    prices = [{**variant, "price": 30} for variant in made["variants"]]
    changed = {"price": 30, "variants": prices, "updatedAt": after["updatedAt"]}
    assert after == {**made, **changed}
    assert _data(await client.get(where)) == after
    assert _data(await client.put(where, json={}))["price"] == 30


async def test_members_can_be_emptied(world: World) -> None:
    client, path = await _own(world)
    made = await _make(
        client, path, nameEn="Shirt", compareAtPrice=30, category="قمصان", images=["/media/a.webp"]
    )
    body: dict[str, object] = {
        "nameEn": None,
        "compareAtPrice": None,
        "category": None,
        "images": [],
    }
    after = _data(await client.put(f"/api/products/{made['id']}", json=body))
    assert {name: after[name] for name in body} == body


async def test_variants_that_stay_keep_their_id_and_stock(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path, sizes=["S", "M"], stock=3)
    where = f"/api/products/{made['id']}"
    after = _data(await client.put(where, json={"sizes": ["M", "L"]}))
    before = {v["options"]["size"]: v for v in made["variants"]}
    now = {v["options"]["size"]: v for v in after["variants"]}
    assert set(now) == {"M", "L"}
    assert (now["M"]["id"], now["M"]["stock"]) == (before["M"]["id"], 3)
    assert now["L"]["id"] not in {v["id"] for v in made["variants"]}
    assert _data(await client.get(where)) == after


async def test_stock_is_a_number_or_untracked_and_decides_what_is_available(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path, stock=2)
    where = f"/api/products/{made['id']}"
    for stock, available in ((0, False), (5, True), (None, True)):
        after = _data(await client.put(where, json={"stock": stock}))
        assert after["variants"][0]["stock"] == stock
        assert (after["inStock"], after["variants"][0]["available"]) == (available, available)
    for junk in (-1, 1.5, "2", True, 1_000_001):
        assert _faults(await client.put(where, json={"stock": junk})) == {"stock"}


async def test_an_order_takes_from_the_number_the_merchant_sees(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path, stock=5)
    placed = await world.client().post(f"{path}/orders", json=order_body(made["id"], 3))
    assert placed.status_code == 201
    read = _data(await client.get(f"/api/products/{made['id']}"))
    assert read["variants"][0]["stock"] == 2


async def test_a_product_off_sale_is_shown_and_not_sold(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path, inStock=False, stock=5)
    assert made["inStock"] is False
    assert _data(await world.client().get(f"/api/products/{made['id']}"))["inStock"] is False
    refused = await world.client().post(f"{path}/orders", json=order_body(made["id"]))
    assert refused.status_code in (409, 422)


async def test_a_category_is_named_by_id_slug_or_name(world: World) -> None:
    client, path = await _own(world)
    category = _data(
        await client.post(f"{path}/categories", json={"name": "أحذية", "nameEn": "Shoes"}), 201
    )
    for wish in (category["id"], "shoes", "احذيه", "SHOES"):
        product = await _make(client, path, category=wish)
        assert [c["id"] for c in product["categories"]] == [category["id"]], wish
    reply = await client.post(
        f"{path}/products", json={"name": "x", "price": 1, "category": 999_999}
    )
    assert _faults(reply) == {"category"}
    assert len(_data(await client.get(f"{path}/categories"))) == 1


async def test_a_deleted_product_is_archived(world: World) -> None:
    client, path = await _own(world)
    made = await _make(client, path)
    where = f"/api/products/{made['id']}"
    for _ in range(2):
        assert _data(await client.delete(where))["status"] == "archived"
    assert (await world.client().get(where)).status_code == 404
    refused = await world.client().post(f"{path}/orders", json=order_body(made["id"]))
    assert refused.status_code in (409, 422)
    back = _data(await client.put(where, json={"status": "active"}))
    assert back["status"] == "active"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example/x", "data:text/html,x", "ftp://a/b", "x.webp", ""]
)  # fmt: skip
async def test_an_image_is_a_web_address(world: World, url: str) -> None:
    client, path = await _own(world)
    body = {"name": "x", "price": 1, "images": ["/media/a.webp", url]}
    assert _faults(await client.post(f"{path}/products", json=body)) == {"images[1]"}
