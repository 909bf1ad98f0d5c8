"""Stores over HTTP: opening, reading, changing, closing, the directory and the categories."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


async def _own(world: World) -> tuple[httpx.AsyncClient, str]:
    """A merchant's client and the path of the store."""
    merchant = await world.merchant()
    assert merchant.store is not None
    return world.client(**bearer(merchant)), f"/api/stores/{merchant.store.id}"


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


async def test_a_merchant_opens_a_store_that_sells_at_once(world: World) -> None:
    merchant = await world.merchant(store=False)
    client = world.client(**bearer(merchant))
    store = _data(await client.post("/api/stores", json={"name": " متجر الياسمين "}), 201)
    assert store["name"] == "متجر الياسمين"
    assert store["slug"] == "mtjr-aliasmin"
    assert store["ownerId"] == merchant.user.id
    assert store["isActive"] is True
    assert store["settings"]["shipping"] == {
        "defaultRate": 10.0,
        "freeAbove": None,
        "codRounding": 0,
        "pickup": {"enabled": False, "address": None},
    }
    methods = _data(await world.client().get(f"/api/stores/{store['id']}/payment-methods"))
    assert {"cod", "moamalat"} <= {method["method"] for method in methods}


async def test_what_is_sent_is_what_is_read(world: World) -> None:
    client = world.client(**bearer(await world.merchant(store=False)))
    body = {
        "name": "متجر",
        "nameEn": "Shop",
        "slug": "my-shop-24",
        "description": "سطر\nوسطر",
        "logo": "https://cdn.example.ly/logo.webp",
        "categories": ["أحذية", "قمصان"],
        "settings": {
            "shipping": {
                "defaultRate": 7.125,
                "freeAbove": 100,
                "codRounding": 0.25,
                "pickup": {"enabled": True, "address": "شارع الجمهورية"},
            },
            "paymentMethods": ["cod"],
            "contact": {"phone": "091-234-5678", "email": "A@Example.ly", "address": "طرابلس"},
            "returnUrl": "https://shop.example.ly/thanks",
        },
    }
    made = _data(await client.post("/api/stores", json=body), 201)
    read = _data(await world.client().get("/api/stores/my-shop-24"))
    assert read == made
    expected = {
        **body,
        "settings": {
            **body["settings"],  # type: ignore[dict-item]
            "contact": {"phone": "+218912345678", "email": "a@example.ly", "address": "طرابلس"},
            "codMax": None,
            "transferAccount": None,
            "business": {
                **dict.fromkeys(
                    (
                        "legalName",
                        "registerNumber",
                        "licenceNumber",
                        "taxNumber",
                        "address",
                        "phone",
                    )
                ),
                "showsTax": False,
            },
        },
    }
    assert {name: read[name] for name in body} == expected


async def test_a_store_is_found_by_id_and_by_slug(world: World) -> None:
    client, path = await _own(world)
    store = _data(await client.get(path))
    assert _data(await client.get(f"/api/stores/{store['slug']}")) == store


async def test_two_stores_of_one_name_get_two_slugs(world: World) -> None:
    slugs = []
    for _ in range(2):
        client = world.client(**bearer(await world.merchant(store=False)))
        slugs.append(_data(await client.post("/api/stores", json={"name": "Rose"}), 201))
    assert slugs[0]["slug"] == "rose"
    assert slugs[1]["slug"].startswith("rose-")


async def test_a_slug_of_digits_would_be_an_id_and_is_refused(world: World) -> None:
    client = world.client(**bearer(await world.merchant(store=False)))
    for slug in ("12", "1-2", "-a", "a--b", "A", "متجر", "a"):
        reply = await client.post("/api/stores", json={"name": "x", "slug": slug})
        assert reply.status_code == 422, slug
        assert set(reply.json()["error"]["details"]) == {"slug"}
    made = await client.post("/api/stores", json={"name": "2024", "slug": "24-seven"})
    assert made.status_code == 201


async def test_a_name_of_digits_gets_a_slug_that_is_no_id(world: World) -> None:
    client = world.client(**bearer(await world.merchant(store=False)))
    store = _data(await client.post("/api/stores", json={"name": "2024"}), 201)
    assert not store["slug"].isdigit()
    assert (_data(await client.get(f"/api/stores/{store['slug']}")))["id"] == store["id"]


async def test_a_taken_slug_is_a_conflict(world: World) -> None:
    client, path = await _own(world)
    taken = (_data(await client.get(path)))["slug"]
    other, other_path = await _own(world)
    changed = await other.put(other_path, json={"slug": taken})
    fresh = world.client(**bearer(await world.merchant(store=False)))
    opened = await fresh.post("/api/stores", json={"name": "x", "slug": taken})
    assert (changed.status_code, opened.status_code) == (409, 409)
    same = await client.put(path, json={"slug": taken})
    assert same.status_code == 200


async def test_a_change_touches_only_what_is_sent(world: World) -> None:
    client, path = await _own(world)
    before = _data(await client.get(path))
    world.clock.turn(timedelta(seconds=5))
    after = _data(await client.put(path, json={"description": "جديد"}))
    assert after == {**before, "description": "جديد", "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] > before["updatedAt"]
    assert _data(await client.get(path)) == after
    gone = _data(await client.put(path, json={"description": None}))
    assert gone["description"] is None


async def test_settings_can_be_sent_back_as_they_were_read(world: World) -> None:
    client, path = await _own(world)
    settings = (_data(await client.get(path)))["settings"]
    settings["shipping"]["defaultRate"] = 0
    again = _data(await client.put(path, json={"settings": settings}))
    assert again["settings"] == settings


@pytest.mark.parametrize("member", ["ownerId", "id", "createdAt", "role", "version"])
async def test_what_the_server_decides_cannot_be_sent(world: World, member: str) -> None:
    client, path = await _own(world)
    reply = await client.put(path, json={member: 1})
    assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, {member})


async def test_a_store_offers_only_methods_the_platform_has(world: World) -> None:
    client, path = await _own(world)
    refused = await client.put(path, json={"settings": {"paymentMethods": ["cod", "gold"]}})
    assert set(refused.json()["error"]["details"]) == {"settings.paymentMethods"}
    chosen = await client.put(path, json={"settings": {"paymentMethods": ["cod"]}})
    assert chosen.status_code == 200
    methods = _data(await client.get(f"{path}/payment-methods"))
    assert [method["method"] for method in methods] == ["cod"]


async def test_a_stale_version_of_a_store_is_not_changed(world: World) -> None:
    client, path = await _own(world)
    tag = (await client.get(path)).headers["ETag"]
    first = await client.put(path, json={"name": "واحد"}, headers={"If-Match": tag})
    second = await client.put(path, json={"name": "اثنان"}, headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert (_data(await client.get(path)))["name"] == "واحد"
    anyway = await client.put(path, json={"name": "ثلاثة"}, headers={"If-Match": "*"})
    assert anyway.status_code == 200


async def test_the_directory_lists_open_stores_in_pages(world: World) -> None:
    made = [await _own(world) for _ in range(3)]
    client, path = made[1]
    await client.delete(path)
    reply = await world.client().get("/api/stores", params={"limit": 1, "page": 2})
    assert reply.json()["pagination"] == {"page": 2, "limit": 1, "total": 2, "totalPages": 2}
    listed = (await world.client().get("/api/stores")).json()["data"]
    closed = int(path.rpartition("/")[2])
    assert closed not in {store["id"] for store in listed}
    assert len(listed) == 2


async def test_a_closed_store_sells_nothing_and_can_open_again(world: World) -> None:
    client, path = await _own(world)
    await world.product(int(path.rpartition("/")[2]), name="قميص")
    buyer = world.client()
    await client.delete(path)
    for closed in (path, f"{path}/products", f"{path}/categories", f"{path}/payment-methods"):
        assert (await buyer.get(closed)).status_code == 404, closed
    assert (await buyer.get("/api/products")).json()["data"] == []
    again = _data(await client.put(path, json={"isActive": True}))
    assert again["isActive"] is True
    assert len((await buyer.get("/api/products")).json()["data"]) == 1


async def test_categories_are_a_tree_with_names_in_two_languages(world: World) -> None:
    client, path = await _own(world)
    path += "/categories"
    top = _data(await client.post(path, json={"name": "ملابس", "nameEn": "Clothes"}), 201)
    body = {"name": "قمصان", "parentId": top["id"], "position": 2}
    below = _data(await client.post(path, json=body), 201)
    (shown,) = _data(await world.client().get(path))
    assert (shown["name"], shown["nameEn"], shown["slug"]) == ("ملابس", "Clothes", "clothes")
    assert shown["children"] == [below]
    assert (below["parentId"], below["position"]) == (top["id"], 2)


async def test_a_category_cannot_be_its_own_ancestor(world: World) -> None:
    client, path = await _own(world)
    path += "/categories"
    top = _data(await client.post(path, json={"name": "a"}), 201)
    below = _data(await client.post(path, json={"name": "b", "parentId": top["id"]}), 201)
    for parent in (top["id"], below["id"]):
        reply = await client.put(f"{path}/{top['id']}", json={"parentId": parent})
        assert set(reply.json()["error"]["details"]) == {"parentId"}
    freed = _data(await client.put(f"{path}/{below['id']}", json={"parentId": None}))
    assert freed["parentId"] is None


async def test_another_store_s_category_is_not_there(world: World) -> None:
    client, path = await _own(world)
    foreign_client, foreign_path = await _own(world)
    foreign = _data(
        await foreign_client.post(f"{foreign_path}/categories", json={"name": "x"}), 201
    )
    below = await client.post(f"{path}/categories", json={"name": "y", "parentId": foreign["id"]})
    assert below.status_code == 422
    for method in ("PUT", "DELETE"):
        reply = await client.request(
            method, f"{path}/categories/{foreign['id']}", content=b"{}" if method == "PUT" else None
        )
        assert reply.status_code == 404, method


async def test_a_branch_is_deleted_leaf_by_leaf_and_products_stay(world: World) -> None:
    client, path = await _own(world)
    store_id = int(path.rpartition("/")[2])
    path += "/categories"
    top = _data(await client.post(path, json={"name": "ملابس"}), 201)
    below = _data(await client.post(path, json={"name": "قمصان", "parentId": top["id"]}), 201)
    product = await world.product(store_id, categories=["قمصان"])
    refused = await client.delete(f"{path}/{top['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await client.delete(f"{path}/{below['id']}")).status_code == 200
    assert (await client.delete(f"{path}/{top['id']}")).status_code == 200
    assert (await client.delete(f"{path}/{top['id']}")).status_code == 404
    shown = _data(await client.get(f"/api/products/{product.product.id}"))
    assert (shown["category"], shown["categories"]) == (None, [])
