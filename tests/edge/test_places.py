"""Two D1 databases behind one Worker: every store keeps to its own."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from eishro.edge.places import IDS_OF_A_PLACE
from tests.edge.conftest import EdgeStory, needs_platform
from tests.edge.test_stories import _at_once
from tests.stories.people import Json, order_of

pytestmark = needs_platform
_numbers = itertools.count(1)
PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def placed(edge: EdgeStory) -> Iterator[EdgeStory]:
    """The Worker with a second database."""
    edge.gateway_does()
    edge.platform.set(EDGE_PLACES="DB,DB_EAST")
    yield edge
    edge.platform.set(EDGE_PLACES="")


def merchant_of(story: EdgeStory, place: str, slug: str | None = None) -> tuple[Json, Any]:
    number = next(_numbers)
    body = {
        "email": f"placed{number}@example.ly",
        "password": PASSWORD,
        "accountType": "merchant",
        "store": {"name": f"متجر {number}", "slug": slug or f"placed-{number}"},
    }
    reply = story.client.post("/api/auth/register", json=body, headers={"X-Place": place})
    return reply.json(), reply


def store_of(story: EdgeStory, place: str) -> tuple[Json, dict[str, str], Json]:
    """A new store in a place, its merchant's header, and a product of 5 pieces."""
    joined, reply = merchant_of(story, place)
    assert reply.status_code == 201, reply.text
    assert reply.headers["X-Place"] == place
    store, bearer = joined["data"]["store"], f"Bearer {joined['data']['accessToken']}"
    header = {"Authorization": bearer}
    return store, header, story.add_product(store, header, stock=5)


def count(story: EdgeStory, table: str, column: str, value: object) -> list[int]:
    sql = f"SELECT count(*) FROM {table} WHERE {column} = ?"
    return [story.platform.sql(sql, value, database=name)[0][0] for name in ("DB", "DB_EAST")]


def test_each_store_is_kept_in_its_place_alone(placed: EdgeStory) -> None:
    for number, place in enumerate(("DB", "DB_EAST")):
        store, _, product = store_of(placed, place)
        here = [int(number == n) for n in range(2)]
        assert store["id"] // IDS_OF_A_PLACE == product["id"] // IDS_OF_A_PLACE == number
        basket = placed.order(product)  # nothing but the store's id tells the place
        by_slug = placed.post(f"/api/stores/{store['slug']}/orders", order_of(product))
        for table, column, value in (
            ("stores", "id", store["id"]),
            ("products", "id", product["id"]),
            ("orders", "id", basket.id),
            ("orders", "id", by_slug["id"]),
            ("order_lines", "order_id", basket.id),
            ("outbox", "subject_id", basket.id),
            ("ledger_entries", "order_id", basket.id),
        ):
            found = count(placed, table, column, value)
            assert [int(n > 0) for n in found] == here, table


def test_an_order_is_paid_in_the_place_that_has_it(placed: EdgeStory) -> None:
    _, _, product = store_of(placed, "DB_EAST")
    basket = placed.order(product)
    payment = placed.start_payment(basket)
    placed.pay(payment)  # the notification names nothing but the payment's reference
    assert placed.wait_until_paid(basket)["status"] == "confirmed"
    assert count(placed, "payments", "id", payment["id"]) == [0, 1]


def test_who_signs_in_or_lists_is_led_to_the_own_place(placed: EdgeStory) -> None:
    store, bearer, product = store_of(placed, "DB_EAST")
    email = placed.client.get("/api/auth/profile", headers=bearer).json()["data"]["email"]
    signed_in = placed.client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    assert signed_in.headers["X-Place"] == "DB_EAST"
    basket = placed.order(product)
    orders = placed.list_(f"/api/stores/{store['slug']}/orders", bearer)
    assert [order["id"] for order in orders] == [basket.id]


def test_a_slug_is_one_of_a_kind_in_all_places(placed: EdgeStory) -> None:
    _, first = merchant_of(placed, "DB", "one-of-a-kind")
    refusal, second = merchant_of(placed, "DB_EAST", "one-of-a-kind")
    assert (first.status_code, second.status_code) == (201, 409)
    assert refusal["error"]["code"] == "CONFLICT"
    assert count(placed, "stores", "slug", "one-of-a-kind") == [1, 0]


def test_a_store_may_take_another_slug_and_the_old_one_is_free_again(placed: EdgeStory) -> None:
    store, bearer, _ = store_of(placed, "DB_EAST")
    path = f"/api/stores/{store['id']}"
    for slug, status in (("placed-renamed", 200), ("one-of-a-kind", 409), ("placed-renamed", 200)):
        reply = placed.client.put(path, json={"slug": slug}, headers=bearer)
        assert reply.status_code == status, reply.text
    home = "SELECT slug FROM edge_slugs WHERE store_id = ?"
    assert placed.platform.sql(home, store["id"]) == [["placed-renamed"]]
    assert merchant_of(placed, "DB", store["slug"])[1].status_code == 201


def test_a_race_in_one_place_is_as_fair_as_anywhere(placed: EdgeStory) -> None:
    store, _, product = store_of(placed, "DB_EAST")
    order = {"url": f"/api/stores/{store['slug']}/orders", "json": order_of(product)}
    replies = _at_once(placed, [order] * 20)
    assert Counter(reply.status_code for reply in replies) == {201: 5, 409: 15}
    assert count(placed, "orders", "store_id", store["id"]) == [0, 5]


def test_an_unknown_place_is_refused(placed: EdgeStory) -> None:
    refused = placed.client.get("/api/stores", headers={"X-Place": "NOWHERE"})
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "UNKNOWN_PLACE"
