"""The generated description: valid OpenAPI 3.1, complete, and true about answers."""

import re
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from eishro.web.api import ROUTES
from eishro.web.openapi import openapi_document
from eishro.web.routes import Route
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

DOCUMENT: dict[str, Any] = msgspec.json.decode(openapi_document(ROUTES))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
_JSON = "application/json"


def _operation(route: Route) -> dict[str, Any]:
    path = re.sub(r"\{(\w+)(:\w+)?\}", r"{\1}", route.path)
    operation: dict[str, Any] = DOCUMENT["paths"][path][route.method.lower()]
    return operation


def _refs(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {str(value["$ref"])} if "$ref" in value else set()
        return own.union(*map(_refs, value.values()))
    if isinstance(value, list):
        return set().union(*map(_refs, value))
    return set()


async def test_the_document_is_valid_openapi_3_1() -> None:
    errors = list(jsonschema_rs.validator_for(OPENAPI_31).iter_errors(DOCUMENT))
    assert [(e.message[:200], e.instance_path) for e in errors] == []
    for name, schema in SCHEMAS.items():
        assert jsonschema_rs.meta.is_valid(schema), name


async def test_it_is_served_as_it_is_made(world: World) -> None:
    reply = await world.client().get("/openapi.json")
    assert reply.headers["Content-Type"] == _JSON
    assert reply.json() == DOCUMENT


async def test_every_route_is_in_it_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(r.method, re.sub(r":\w+\}", "}", r.path)) for r in ROUTES}


async def test_operations_have_ids_of_their_own_and_a_summary() -> None:
    operations = [_operation(route) for route in ROUTES]
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


async def test_every_reference_leads_somewhere() -> None:
    prefix = "#/components/schemas/"
    refs = _refs(DOCUMENT)
    assert {ref.removeprefix(prefix) for ref in refs} <= set(SCHEMAS)
    schemes = {name for r in ROUTES for s in _operation(r).get("security", []) for name in s}
    assert schemes <= set(DOCUMENT["components"]["securitySchemes"])


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.is_enveloped], ids=lambda r: f"{r.method} {r.path}"
)
async def test_every_refusal_of_a_route_has_the_error_shape(route: Route) -> None:
    responses = _operation(route)["responses"]
    assert str(route.status) in responses
    refusals = {code: r for code, r in responses.items() if code >= "400"}
    assert {"400", "401", "403", "404", "500"} <= set(refusals)
    for code, response in refusals.items():
        schema = response["content"][_JSON]["schema"]
        assert schema == {"$ref": "#/components/schemas/Error"}, code


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_what_a_route_takes_is_described(route: Route) -> None:
    operation = _operation(route)
    names = {(p["in"], p["name"]) for p in operation["parameters"]}
    assert {("path", n) for n in re.findall(r"\{(\w+)", route.path)} <= names
    if route.query is not None:
        fields = msgspec.structs.fields(route.query)
        assert {("query", field.encode_name) for field in fields} <= names
    assert (("header", "Idempotency-Key") in names) == route.idempotent
    if route.body is not None:
        schema = operation["requestBody"]["content"][_JSON]["schema"]
        described = SCHEMAS[schema["$ref"].rpartition("/")[2]]
        fields = msgspec.structs.fields(route.body)
        assert set(described["properties"]) == {field.encode_name for field in fields}
        assert described["additionalProperties"] is False
    if not route.needs.name.startswith("public"):
        assert operation["security"]


async def test_real_answers_fit_their_description(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5, sizes=["S"], categories=["أ"])
    zone = await world.zone(merchant.store.id)
    store, client = f"/api/stores/{merchant.store.id}", world.client(**bearer(merchant))
    placed = await world.client().post(f"{store}/orders", json=order_body(state.product.id))
    order = placed.json()["data"]
    token = {"X-Order-Token": order["accessToken"]}
    paths = {
        "/api/stores": "/api/stores",
        "/api/stores/{store_id}": store,
        "/api/stores/{store_id}/categories": f"{store}/categories",
        "/api/stores/{store_id}/products": f"{store}/products",
        "/api/stores/{store_id}/payment-methods": f"{store}/payment-methods",
        "/api/products/{product_id}": f"/api/products/{state.product.id}",
        "/api/stores/{store_id}/orders": f"{store}/orders",
        "/api/orders/{order_id}": f"/api/orders/{order['id']}",
        "/api/auth/profile": "/api/auth/profile",
        "/api/locations/cities": "/api/locations/cities",
        "/api/locations/districts": "/api/locations/districts",
        "/api/stores/{store_id}/shipping-rates": f"{store}/shipping-rates?city=tripoli",
        "/api/stores/{store_id}/shipping-zones": f"{store}/shipping-zones",
        "/api/stores/{store_id}/shipping-zones/{zone_id}": f"{store}/shipping-zones/{zone.id}",
    }
    _assert_fits("POST", "/api/stores/{store_id}/orders", "201", placed.json())
    for template, path in paths.items():
        reply = await client.get(path, headers=token)
        _assert_fits("GET", template, str(reply.status_code), reply.json())
        refused = await world.client().get(path, headers={"Authorization": "Bearer x"})
        _assert_fits("GET", template, "401", refused.json())


def _assert_fits(method: str, template: str, code: str, value: object) -> None:
    described = DOCUMENT["paths"][template][method.lower()]["responses"][code]
    schema = {**described["content"][_JSON]["schema"], "components": DOCUMENT["components"]}
    errors = list(jsonschema_rs.validator_for(schema).iter_errors(value))
    assert [(e.message[:200], e.instance_path) for e in errors] == [], template
