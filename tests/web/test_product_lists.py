"""Lists of products: Arabic search, filters, order, pages, and what stays hidden."""

from typing import Any

import httpx
import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


async def _own(world: World) -> tuple[httpx.AsyncClient, int]:
    """A merchant's client and the store's id."""
    merchant = await world.merchant()
    assert merchant.store is not None
    return world.client(**bearer(merchant)), merchant.store.id


async def _ids(client: httpx.AsyncClient, path: str, **params: Any) -> list[int]:
    reply = await client.get(path, params=params)
    assert reply.status_code == 200, reply.text
    return [product["id"] for product in reply.json()["data"]]


@pytest.mark.parametrize(
    ("name", "q"),
    [
        ("أحذية رياضية", "احذيه"),
        ("قميص قطني", "القميص"),
        ("عَبَاءَة سوداء", "عباءة"),
        ("مصباح ٥٠ واط", "50"),
        ("قميـــص", "قميص"),
        ("Cotton Shirt", "shirt"),
        ("Cotton Shirt", "cott"),
    ],
)
async def test_a_search_finds_what_a_reader_would(world: World, name: str, q: str) -> None:
    _, store_id = await _own(world)
    wanted = (await world.product(store_id, name=name)).product.id
    await world.product(store_id, name="ثلاجة")
    client = world.client()
    for path in ("/api/products/search", "/api/products", f"/api/stores/{store_id}/products"):
        assert await _ids(client, path, q=q) == [wanted], path


async def test_a_search_looks_into_description_sku_and_category(world: World) -> None:
    _, store_id = await _own(world)
    state = await world.product(
        store_id, name="منتج", description="من الصوف الطبيعي", categories=["شتاء"], sku="WOOL-77"
    )
    await world.product(store_id, name="آخر")
    for q in ("صوف", "شتاء", "wool-77"):
        assert await _ids(world.client(), "/api/products/search", q=q) == [state.product.id], q


async def test_a_renamed_product_is_found_by_its_new_name_only(world: World) -> None:
    client, store_id = await _own(world)
    state = await world.product(store_id, name="طاولة")
    await client.put(f"/api/products/{state.product.id}", json={"name": "كرسي"})
    assert await _ids(client, "/api/products/search", q="كرسي") == [state.product.id]
    assert await _ids(client, "/api/products/search", q="طاولة") == []


async def test_a_search_for_nothing_readable_finds_nothing(world: World) -> None:
    _, store_id = await _own(world)
    await world.product(store_id)
    reply = await world.client().get("/api/products/search", params={"q": "؟!"})
    assert reply.json()["data"] == []
    assert reply.json()["pagination"]["total"] == 0


async def test_filters_join(world: World) -> None:
    _, store_id = await _own(world)
    cheap = await world.product(store_id, price=5_000, stock=0, categories=["أ"])
    middle = await world.product(store_id, price=10_500, stock=3, categories=["أ", "ب"])
    dear = await world.product(store_id, price=20_000, categories=["ب"])
    a, b, c = (state.product.id for state in (cheap, middle, dear))
    client, path = world.client(), f"/api/stores/{store_id}/products"
    category_id = middle.categories[0].id
    for params, expected in (
        ({"minPrice": "5.001"}, [c, b]),
        ({"maxPrice": "10.5"}, [b, a]),
        ({"minPrice": "10.5", "maxPrice": "10.500"}, [b]),
        ({"inStock": "true"}, [c, b]),
        ({"inStock": "false"}, [a]),
        ({"category": "ب"}, [c, b]),
        ({"category": str(category_id)}, [b, a]),
        ({"category": "أ", "inStock": "true", "maxPrice": "11"}, [b]),
        ({"category": "nothing"}, []),
        ({"minPrice": "11", "maxPrice": "1"}, []),
    ):
        assert await _ids(client, path, **params) == expected, params


async def test_lists_are_sorted_as_asked(world: World) -> None:
    _, store_id = await _own(world)
    prices = {"ب": 3_000, "أ": 9_000, "ت": 6_000}
    made = {
        name: (await world.product(store_id, name=name, price=price)).product.id
        for name, price in prices.items()
    }
    client, path = world.client(), f"/api/stores/{store_id}/products"
    for sort, names in (
        ("-createdAt", "تأب"),
        ("price", "بتأ"),
        ("-price", "أتب"),
        ("name", "أبت"),
    ):
        assert await _ids(client, path, sort=sort) == [made[name] for name in names], sort


async def test_pages_of_every_order_show_each_product_once(world: World) -> None:
    _, store_id = await _own(world)
    made = {(await world.product(store_id, price=1_000)).product.id for _ in range(5)}
    client, path = world.client(), f"/api/stores/{store_id}/products"
    for sort in ("-createdAt", "price", "-price", "name"):
        seen = [
            product_id
            for page in (1, 2, 3)
            for product_id in await _ids(client, path, sort=sort, limit=2, page=page)
        ]
        assert sorted(seen) == sorted(made), sort
    assert await _ids(client, path, page=4, limit=2) == []


async def test_a_cursor_is_not_moved_by_new_products(world: World) -> None:
    _, store_id = await _own(world)
    made = [(await world.product(store_id)).product.id for _ in range(4)]
    client, path = world.client(), f"/api/stores/{store_id}/products"
    first = (await client.get(path, params={"limit": 2})).json()
    await world.product(store_id)
    cursor = first["pagination"]["nextCursor"]
    assert await _ids(client, path, limit=2, cursor=cursor) == made[1::-1]


async def test_drafts_and_archived_ones_are_listed_for_the_store_s_people_only(
    world: World,
) -> None:
    client, store_id = await _own(world)
    other, _ = await _own(world)
    draft = (await world.product(store_id, name="مسودة", status="draft")).product.id
    old = (await world.product(store_id, name="قديم", status="archived")).product.id
    path = f"/api/stores/{store_id}/products"
    assert await _ids(client, path, status="draft") == [draft]
    assert await _ids(client, path, status="archived") == [old]
    assert await _ids(client, path) == []
    assert (await other.get(path, params={"status": "draft"})).status_code == 403
    assert (await world.client().get(path, params={"status": "draft"})).status_code == 401
    for q in ("مسودة", "قديم"):
        assert await _ids(world.client(), "/api/products/search", q=q) == []


async def test_numbers_in_stock_are_listed_for_the_store_s_people_only(world: World) -> None:
    client, store_id = await _own(world)
    other, _ = await _own(world)
    await world.product(store_id, stock=7)
    path = f"/api/stores/{store_id}/products"
    mine = (await client.get(path)).json()["data"][0]["variants"][0]
    assert mine["stock"] == 7
    for client_, where in ((other, path), (world.client(), path), (client, "/api/products")):
        (product,) = (await client_.get(where)).json()["data"]
        assert "stock" not in product["variants"][0]


async def test_a_merchant_s_answer_is_not_taken_for_a_guest_s(world: World) -> None:
    client, store_id = await _own(world)
    state = await world.product(store_id, stock=7)
    path = f"/api/products/{state.product.id}"
    mine = (await client.get(path)).headers["ETag"]
    reply = await world.client().get(path, headers={"If-None-Match": mine})
    assert reply.status_code == 200


async def test_a_sale_changes_the_tag(world: World) -> None:
    client, store_id = await _own(world)
    state = await world.product(store_id, stock=1)
    path = f"/api/products/{state.product.id}"
    tag = (await world.client().get(path)).headers["ETag"]
    await world.order(state)
    reply = await world.client().get(path, headers={"If-None-Match": tag})
    assert reply.status_code == 200
    assert reply.json()["data"]["inStock"] is False


async def test_the_list_over_all_stores_mixes_them(world: World) -> None:
    ids = []
    for _ in range(2):
        _, store_id = await _own(world)
        ids.append((await world.product(store_id)).product.id)
    assert await _ids(world.client(), "/api/products") == ids[::-1]
