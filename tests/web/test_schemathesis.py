"""Requests made up from the description, right and wrong ones, against each engine.

`tests/stories/test_schemathesis.py` runs the command against a whole server; here the same
checks run inside the process, so that PostgreSQL is asked as well.
"""

import contextlib
import functools
from typing import Any

import anyio.from_thread
import anyio.to_thread
import httpx
import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from eishro.web.api import ROUTES
from eishro.web.openapi import openapi_document
from tests.conftest import SEED
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

EXAMPLES = 6  # of each operation and mode
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
# It would end the session that asks the others.
_LEFT_OUT = {"/api/auth/logout"}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_made_up_requests_get_described_answers(world: World, mode: GenerationMode) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=100, categories=["قمصان"])
    placed = await world.order(state)
    known = {
        "store_id": str(merchant.store.id),
        "coupon_id": (await world.coupon(merchant.store.id)).id,
        "promotion_id": (await world.promotion(merchant.store.id)).id,
        "product_id": state.product.id,
        "category_id": state.categories[0].id,
        "zone_id": (await world.zone(merchant.store.id)).id,
        "address_id": await world.address(merchant),
        "phone": "+218912345678",
        "draft_id": (await world.draft(state)).id,
        "order_id": placed.order.id,
        "refund_id": "ref_0",
        "provider": "moamalat",
        "session": bearer(merchant),
    }
    client = world.client()
    asked = await anyio.to_thread.run_sync(functools.partial(_ask_all, client, known, mode))
    await world.settle()
    assert asked > 100, f"EISHRO_TEST_SEED={SEED}"


def _ask_all(client: httpx.AsyncClient, known: dict[str, Any], mode: GenerationMode) -> int:
    """In a thread, because Hypothesis is synchronous; each request runs on the test's loop."""
    schema = schemathesis.openapi.from_dict(msgspec.json.decode(openapi_document(ROUTES)))
    asked = 0
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # ours has no invalid one
        if operation.path not in _LEFT_OUT:
            asked += _ask(client, operation, known, mode)
    return asked


def _ask(
    client: httpx.AsyncClient, operation: Any, known: dict[str, Any], mode: GenerationMode
) -> int:
    names = {parameter.name for parameter in operation.path_parameters} & set(known)
    asked = 0

    # Right requests are for what is there; wrong ones may have any path.
    def ask(case: Any) -> None:
        nonlocal asked
        if mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: known[name] for name in names})
        kwargs = case.as_transport_kwargs(base_url="http://shop.test")
        if mode is GenerationMode.POSITIVE or "Authorization" in kwargs["headers"]:
            kwargs["headers"].update(known["session"])
        asked += 1
        reply = anyio.from_thread.run(functools.partial(_send, client, kwargs))
        case.validate_response(reply, checks=CHECKS)

    test = hypothesis.given(case=operation.as_strategy(generation_mode=mode))(ask)
    test = hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(test)
    # An operation without any input cannot be asked wrongly.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        hypothesis.seed(SEED)(test)()
    return asked


async def _send(client: httpx.AsyncClient, kwargs: dict[str, Any]) -> httpx.Response:
    headers = {  # as bytes: made-up ones may hold anything
        name: value.encode() if isinstance(value, str) else value
        for name, value in kwargs.pop("headers", {}).items()
        if name.lower() != "user-agent"
    }
    return await client.request(
        kwargs["method"],
        kwargs["url"],
        params=kwargs.get("params"),
        json=kwargs.get("json"),
        content=kwargs.get("data"),
        headers=headers,
    )
