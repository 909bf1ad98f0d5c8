"""The list of ways to pay, why others are not on it, and how the gateways are, over HTTP."""

from typing import Any

import httpx
import pytest

from eishro.domain.payments.health import FAILURES_MAX, PAUSE_FIRST
from eishro.flows.gateway_health import WELL
from tests.adapters.payments.http_script import said
from tests.every_gateway import every_gateway
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

SADAD = {"method": "sadad", "phone": "0911234567", "birthYear": 1990}
_ARABIC = range(0x0600, 0x0700)


async def _list(client: httpx.AsyncClient, path: str, **headers: str) -> dict[str, dict[str, Any]]:
    reply = await client.get(path, headers=headers)
    assert reply.status_code == 200, reply.text
    return {one["method"]: one for one in reply.json()["data"]}


async def _buyer(world: World, store_id: int) -> tuple[httpx.AsyncClient, str]:
    """A guest with an order, and the path of its payments."""
    state = await world.product(store_id)
    client = world.client()
    placed = await client.post(f"/api/stores/{store_id}/orders", json=order_body(state.product.id))
    order = placed.json()["data"]
    client.headers["X-Order-Token"] = order["accessToken"]
    return client, f"/api/orders/{order['id']}/payments"


async def _fall_silent(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(FAILURES_MAX):
        assert (await client.post(path, json=SADAD)).status_code == 502


async def test_every_method_says_what_it_carries(world: World) -> None:
    async with every_gateway(world):
        merchant = await world.merchant(cod_most_dirhams=400_000)
        assert merchant.store is not None
        found = await _list(world.client(), f"/api/stores/{merchant.store.id}/payment-methods")
        assert len(found) == len({method.method for method in world.shop.methods})
        assert all(one["isAvailable"] and one["unavailable"] is None for one in found.values())
        sadad, usd, cash = found["sadad"], found["mpgs"], found["cod"]
        assert (sadad["least"], sadad["step"], sadad["currency"]) == (0.01, 0.01, "LYD")
        assert (usd["step"], usd["currency"]) == (0.001, "USD")
        assert (cash["least"], cash["most"]) == (0, 400)


async def test_an_amount_that_does_not_fit_is_said_so_in_the_reader_s_language(
    world: World,
) -> None:
    async with every_gateway(world):
        merchant = await world.merchant(cod_most_dirhams=20_000)
        assert merchant.store is not None
        path = f"/api/stores/{merchant.store.id}/payment-methods?amount=25.505"
        found = await _list(world.client(), path, **{"Accept-Language": "en"})
        assert found["sadad"]["unavailable"] == {
            "code": "amount_step",
            "message": "It carries only multiples of 0.010 LYD, and nothing is rounded.",
        }
        assert found["cod"]["unavailable"]["code"] == "amount_too_large"
        assert not found["cod"]["isAvailable"]
        assert found["moamalat"]["isAvailable"]
        arabic = await _list(world.client(), path, **{"Accept-Language": "ar"})
        words = arabic["sadad"]["unavailable"]["message"]
        assert any(ord(letter) in _ARABIC for letter in words)


@pytest.mark.parametrize("query", ["amount=1.2345", "amount=-1", "amount=x", "currency=EUR"])
async def test_a_query_that_means_nothing_is_refused(world: World, query: str) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    path = f"/api/stores/{merchant.store.id}/payment-methods?{query}"
    assert (await world.client().get(path)).status_code == 422


async def test_methods_are_filtered_by_the_currency_they_are_settled_in(world: World) -> None:
    async with every_gateway(world):
        merchant = await world.merchant()
        assert merchant.store is not None
        path = f"/api/stores/{merchant.store.id}/payment-methods"
        dollars = await _list(world.client(), f"{path}?currency=USD")
        assert set(dollars) == {"mpgs", "plutu_mpgs"}
        dinars = await _list(world.client(), f"{path}?currency=LYD")
        assert dinars.keys() | dollars.keys() == (await _list(world.client(), path)).keys()
        assert not dinars.keys() & dollars.keys()


async def test_a_silent_gateway_is_marked_and_the_payer_is_told_to_choose_another(
    world: World,
) -> None:
    async with every_gateway(world) as wire:
        merchant = await world.merchant()
        assert merchant.store is not None
        path = f"/api/stores/{merchant.store.id}/payment-methods"
        client, payments = await _buyer(world, merchant.store.id)
        assert (await _list(client, path))["sadad"]["isAvailable"]
        await _fall_silent(client, payments)
        shown = (await _list(client, path))["sadad"]
        assert (shown["isAvailable"], shown["unavailable"]["code"]) == (False, "gateway_silent")
        asked = len(wire.sent)
        refused = await client.post(payments, json=SADAD, headers={"Accept-Language": "en"})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (502, "PROVIDER_ERROR")
        assert error["details"] == {"retryAfterSeconds": PAUSE_FIRST.total_seconds()}
        assert "choose another method" in error["message"]
        assert len(wire.sent) == asked
        other = await client.post(payments, json={"method": "moamalat"})
        assert other.status_code == 201
        # To be placed, an order needs no gateway: it may be there again when it is paid.
        state = await world.product(merchant.store.id)
        body = order_body(state.product.id, method="sadad")
        placed = await client.post(f"/api/stores/{merchant.store.id}/orders", json=body)
        assert placed.status_code == 201


async def test_the_store_s_people_see_why_each_method_is_not_offered(world: World) -> None:
    async with every_gateway(world):
        merchant = await world.merchant(payment_methods=("sadad", "cod"))
        assert merchant.store is not None
        path = f"/api/stores/{merchant.store.id}/gateway-methods?amount=25.505"
        viewer = await world.join(merchant, "viewer")
        for language in ("ar", "en"):
            found = await _list(
                world.client(), path, **bearer(viewer), **{"Accept-Language": language}
            )
            sadad = found["sadad"]
            assert (sadad["isOffered"], sadad["isAvailable"]) == (True, False)
            assert [reason["code"] for reason in sadad["reasons"]] == ["amount_step"]
            assert (found["cod"]["isAvailable"], found["cod"]["reasons"]) == (True, [])
            tlync = found["tlync"]
            assert (tlync["isOffered"], tlync["isAvailable"]) == (False, False)
            assert [r["code"] for r in tlync["reasons"]] == ["not_chosen", "amount_step"]
            for one in found.values():
                for reason in one["reasons"]:
                    is_arabic = any(ord(letter) in _ARABIC for letter in reason["message"])
                    assert is_arabic == (language == "ar"), reason
        stranger = await world.merchant()
        assert (await world.client().get(path)).status_code == 401
        assert (await world.client().get(path, headers=bearer(stranger))).status_code == 403


async def test_admins_see_which_gateways_are_silent_and_since_when(world: World) -> None:
    async with every_gateway(world) as wire:
        merchant = await world.merchant()
        assert merchant.store is not None
        admin, path = bearer(await world.admin()), "/api/admin/gateways"

        async def state() -> dict[str, Any]:
            reply = await world.client().get(path, headers=admin)
            assert reply.status_code == 200
            found = {one["provider"]: one for one in reply.json()["data"]}
            assert set(found) == set(world.shop.gateways.catalog)
            assert all(one["state"] == "closed" for name, one in found.items() if name != "sadad")
            sadad: dict[str, Any] = found["sadad"]
            return sadad

        assert (await state())["state"] == "closed"
        client, payments = await _buyer(world, merchant.store.id)
        await _fall_silent(client, payments)
        rest = await state()
        assert (rest["state"], rest["credentialsId"]) == ("open", None)
        assert rest["silentSince"] < rest["retryAt"]
        world.clock.turn(PAUSE_FIRST)
        assert (await state())["state"] == "half_open"
        world.clock.turn(WELL)
        wire.answer = said({"statusCode": 0, "result": {"transactionId": 77}})
        assert (await client.post(payments, json=SADAD)).status_code == 201
        assert (await state()) == {
            "provider": "sadad",
            "credentialsId": None,
            "state": "closed",
            "silentSince": None,
            "retryAt": None,
        }
        assert (await world.client().get(path, headers=bearer(merchant))).status_code == 403


async def test_money_in_suspense_comes_with_a_proposal(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    await world.earn(state, 1, "t1", "t2")
    path = f"/api/stores/{merchant.store.id}/suspense"
    client = world.client(**bearer(merchant))
    (item,) = (await client.get(path, headers={"Accept-Language": "en"})).json()["data"]
    assert item["reason"] == "paid_already"
    assert item["proposal"] == {
        "action": "refund",
        "reason": "The order had been paid before this money came: give it back.",
    }
    settled = await client.put(f"{path}/{item['id']}/resolve", json={"action": "refund"})
    assert settled.status_code == 200, settled.text
    assert settled.json()["data"]["proposal"] is None
