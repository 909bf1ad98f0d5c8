"""What holds for every answer: envelope, codes, languages, caching, CORS, request ids."""

from datetime import timedelta

import pytest

from eishro.web.routes import Rate, WebRules
from tests.shops import World, bearer, changed

pytestmark = pytest.mark.anyio


async def test_a_list_has_the_envelope_and_its_place_in_the_whole(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    for _ in range(5):
        await world.product(merchant.store.id)
    path = f"/api/stores/{merchant.store.id}/products"
    reply = (await world.client().get(path, params={"limit": 2, "page": 3})).json()
    assert reply["success"] is True
    assert reply["timestamp"].endswith("Z")
    assert reply["pagination"] == {"page": 3, "limit": 2, "total": 5, "totalPages": 3}
    assert len(reply["data"]) == 1


async def test_a_cursor_walks_through_everything_once(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    made = [(await world.product(merchant.store.id)).product.id for _ in range(5)]
    client, path = world.client(), f"/api/stores/{merchant.store.id}/products"
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path, params={"limit": "2", **cursor})).json()
        seen += [product["id"] for product in page["data"]]
        if "nextCursor" not in page["pagination"]:
            break
        cursor = {"cursor": page["pagination"]["nextCursor"]}
    assert seen == sorted(made, reverse=True)


async def test_a_request_id_is_kept_where_it_is_a_plain_one(world: World) -> None:
    client = world.client()
    kept = await client.get("/health/live", headers={"X-Request-ID": "order-4711-abc"})
    made = await client.get("/health/live", headers={"X-Request-ID": "x\ty"})
    assert kept.headers["X-Request-ID"] == "order-4711-abc"
    assert made.headers["X-Request-ID"].startswith("req_")


async def test_a_product_is_revalidated_without_a_body(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    client, path = world.client(), f"/api/products/{state.product.id}"
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = await client.get(path, headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200


async def test_a_change_from_an_old_version_is_refused(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    client, path = world.client(), f"/api/products/{state.product.id}"
    tag = (await client.get(path, headers=bearer(merchant))).headers["ETag"]
    headers = {**bearer(merchant), "If-Match": tag}
    assert (await client.put(path, json={"price": 30}, headers=headers)).status_code == 200
    refused = await client.put(path, json={"price": 31}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert (await client.get(path)).json()["data"]["price"] == 30


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/api/stores/no-such-store", 404, "NOT_FOUND"),
        ("PATCH", "/api/stores", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/api/auth/login", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/orders", 401, "UNAUTHORIZED"),
    ],
)
async def test_refusals_have_one_shape(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    reply = await world.client().request(method, path)
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
    assert set(reply.json()) == {"success", "error", "timestamp"}
    assert "X-Request-ID" in reply.headers


async def test_people_read_arabic_or_english_and_programs_read_codes(world: World) -> None:
    client = world.client()
    arabic = await client.get("/api/stores/0", headers={"Accept-Language": "ar-LY,en;q=0.5"})
    english = await client.get("/api/stores/0", headers={"Accept-Language": "fr"})
    assert arabic.json()["error"]["message"] == "لا يوجد متجر بهذا العنوان."
    assert english.json()["error"]["message"] == "There is no such store."
    assert arabic.json()["error"]["code"] == english.json()["error"]["code"]


async def test_a_fault_of_ours_shows_nothing_but_the_request_id(world: World) -> None:
    class Broken:
        engine = "sqlite"

        async def one(self, *_: object, **__: object) -> object:
            raise RuntimeError("a secret detail")

        all = one

    broken = World(changed(world.shop, db=Broken()), world.clock, world.provider)
    reply = await broken.client().get("/api/stores")
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "INTERNAL_ERROR"
    assert reply.json()["error"]["details"] == {"requestId": reply.headers["X-Request-ID"]}
    assert "secret" not in reply.text


async def test_browsers_of_named_origins_may_read_and_others_may_not(world: World) -> None:
    rules = WebRules(anonymous=None, cors_origins=("https://shop.example.ly",))
    client = world.client(rules)
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    allowed = await client.options(
        "/api/stores", headers={"Origin": "https://shop.example.ly", **preflight}
    )
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example.ly"
    assert "Idempotency-Key" in allowed.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    foreign = await client.get("/api/stores", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in foreign.headers


async def test_the_limit_counts_and_says_so(world: World) -> None:
    client = world.client(WebRules(anonymous=Rate(3, 3600)))
    replies = [await client.get("/api/stores") for _ in range(4)]
    assert [r.status_code for r in replies] == [200, 200, 200, 429]
    assert [r.headers["RateLimit-Remaining"] for r in replies] == ["2", "1", "0", "0"]
    assert replies[0].headers["RateLimit-Limit"] == "3"
    assert replies[3].json()["error"]["code"] == "RATE_LIMITED"
    assert 0 < int(replies[3].headers["Retry-After"]) <= 3600


async def test_files_and_the_document_are_not_sent_twice(world: World) -> None:
    await world.shop.files.put("media/demo/shirt.webp", b"a picture", "image/webp")
    client = world.client()
    asset = (await client.get("/pay/pay_0")).text.partition("/assets/")[2].partition("?")[0]
    for path in ("/openapi.json", "/media/demo/shirt.webp", f"/assets/{asset}"):
        first = await client.get(path)
        assert first.status_code == 200, path
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path


async def test_an_answer_of_304_is_not_counted(world: World) -> None:
    client = world.client(WebRules(anonymous=Rate(3, 3600)))
    tag = (await client.get("/api/stores")).headers["ETag"]
    for _ in range(5):
        reply = await client.get("/api/stores", headers={"If-None-Match": tag})
        assert reply.status_code == 304
    assert (await client.get("/api/stores")).headers["RateLimit-Remaining"] == "1"


async def test_users_addresses_and_payments_are_counted_apart(world: World) -> None:
    merchant = await world.merchant()
    rules = WebRules(authenticated=Rate(2, 3600), anonymous=Rate(1, 3600), payments=Rate(1, 60))
    client = world.client(rules)
    assert (await client.get("/api/stores")).status_code == 200
    assert (await client.get("/api/stores")).status_code == 429
    mine = [await client.get("/api/stores", headers=bearer(merchant)) for _ in range(3)]
    assert [r.status_code for r in mine] == [200, 200, 429]
    paying = [await client.post("/api/payments/x/result", json={}) for _ in range(2)]
    assert [r.status_code for r in paying] == [404, 429]


async def test_a_limit_ends_with_its_time(world: World) -> None:
    client = world.client(WebRules(anonymous=Rate(1, 60)))
    assert (await client.get("/api/stores")).status_code == 200
    assert (await client.get("/api/stores")).status_code == 429
    world.clock.turn(timedelta(seconds=61))
    assert (await client.get("/api/stores")).status_code == 200


async def test_forwarded_addresses_count_only_behind_a_trusted_proxy(world: World) -> None:
    lone = WebRules(anonymous=Rate(1, 3600))
    behind = WebRules(anonymous=Rate(1, 3600), trusted_proxies=("127.0.0.0/8",))
    for rules, second in ((lone, 429), (behind, 200)):
        await world.shop.kv.delete("rate:general:a127.0.0.1")
        client = world.client(rules)
        first = await client.get("/api/stores", headers={"X-Forwarded-For": "41.252.1.1"})
        other = await client.get("/api/stores", headers={"X-Forwarded-For": "41.252.1.2"})
        assert (first.status_code, other.status_code) == (200, second)


async def test_health_and_webhooks_are_outside_the_limits(world: World) -> None:
    client = world.client(WebRules(anonymous=Rate(1, 3600)))
    for _ in range(3):
        assert (await client.get("/health/ready")).status_code == 200
    for _ in range(3):
        assert (await client.post("/api/webhooks/payments/moamalat", json={})).status_code == 401
