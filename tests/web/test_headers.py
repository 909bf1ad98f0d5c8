"""Headers and methods: HEAD, OPTIONS, request ids, CORS, languages."""

import pytest

from eishro.web.api import ROUTES
from eishro.web.routes import WebRules
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

_ORIGIN = "https://shop.example.ly"
_PREFLIGHT = {
    "Origin": _ORIGIN,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "if-match",
}


async def test_head_is_get_without_the_body(world: World) -> None:
    await world.merchant()
    client = world.client()
    got, head = await client.get("/api/stores"), await client.head("/api/stores")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    missing = await client.head("/api/stores/no-such-store")
    assert (missing.status_code, missing.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/nowhere"), ("PATCH", "/api/stores"),
     ("POST", "/openapi.json"), ("OPTIONS", "/api/stores"), ("GET", "/media/x"), ("GET", "/pay/x")],
)  # fmt: skip
async def test_every_answer_has_a_request_id_and_is_not_sniffed(
    world: World, method: str, path: str
) -> None:
    client = world.client()
    made = await client.request(method, path)
    kept = await client.request(method, path, headers={"X-Request-ID": "my-request-1"})
    assert made.headers["X-Request-ID"].startswith("req_")
    assert kept.headers["X-Request-ID"] == "my-request-1"
    assert made.headers["X-Content-Type-Options"] == "nosniff"
    assert made.headers["Referrer-Policy"] == "no-referrer"
    assert made.headers["Content-Security-Policy"]


async def test_a_preflight_says_what_a_named_origin_may_send(world: World) -> None:
    client = world.client(WebRules(cors_origins=(_ORIGIN,)))
    for path in ("/api/stores/1", "/nowhere"):
        reply = await client.options(path, headers=_PREFLIGHT)
        assert (reply.status_code, reply.content) == (204, b"")
        assert "PUT" in reply.headers["Access-Control-Allow-Methods"]
        allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"Authorization", "If-Match", "Idempotency-Key", "X-Order-Token"} <= set(allowed)
        assert "X-Request-ID" in reply.headers


async def test_no_setting_means_no_foreign_origin(world: World) -> None:
    client = world.client(WebRules())
    reply = await client.options("/api/stores", headers=_PREFLIGHT)
    assert not any(name.startswith("access-control") for name in reply.headers)


async def test_a_refusal_can_be_read_by_a_named_origin_too(world: World) -> None:
    client = world.client(WebRules(cors_origins=(_ORIGIN,)))
    for path in ("/api/orders", "/nowhere", "/api/stores/none"):
        reply = await client.get(path, headers={"Origin": _ORIGIN})
        assert reply.headers["Access-Control-Allow-Origin"] == _ORIGIN, path
        assert "X-Request-ID" in reply.headers["Access-Control-Expose-Headers"]
        assert "Origin" in reply.headers["Vary"]


async def test_an_answer_cached_for_one_origin_is_not_given_to_another(world: World) -> None:
    client = world.client(WebRules(anonymous=None, cors_origins=(_ORIGIN,)))
    reply = await client.get("/api/stores", headers={"Origin": _ORIGIN})
    assert {v.strip() for v in reply.headers["Vary"].split(",")} == {
        "Accept-Language",
        "Authorization",
        "Origin",
    }


async def test_a_method_that_is_not_there_names_those_that_are(world: World) -> None:
    client = world.client()
    for path in dict.fromkeys(route.path for route in ROUTES if "{" not in route.path):
        known = {route.method for route in ROUTES if route.path == path}
        reply = await client.patch(path)
        assert reply.status_code == 405, path
        assert known <= {m.strip() for m in reply.headers["Allow"].split(",")}
        assert reply.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_a_trailing_slash_means_the_same(world: World) -> None:
    assert (await world.client().get("/api/stores/")).status_code == 200


async def test_faults_are_named_in_the_reader_s_language(world: World) -> None:
    client = world.client()
    body = {"email": "x", "password": 1}
    arabic = await client.post("/api/auth/login", json=body, headers={"Accept-Language": "ar"})
    english = await client.post("/api/auth/login", json=body)
    assert arabic.json()["error"]["details"].keys() == english.json()["error"]["details"].keys()
    assert arabic.json()["error"]["details"]["password"].startswith("يجب")
    assert english.json()["error"]["details"]["password"].startswith("must")


async def test_success_is_told_in_the_reader_s_language(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    path, body = f"/api/stores/{merchant.store.id}/products", {"name": "x", "price": 1}
    client = world.client(**bearer(merchant))
    arabic = await client.post(path, json=body, headers={"Accept-Language": "ar"})
    english = await client.post(path, json=body)
    assert arabic.json()["message"] == "تم إنشاء المنتج."
    assert english.json()["message"] == "The product is created."
