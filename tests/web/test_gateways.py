"""A store's own gateway credentials, and the two calls of the original front end."""

from typing import Any

import pytest
import sqlalchemy as sa

from eishro.adapters.payments.moamalat_fields import TEST_MERCHANT_ID, TEST_SECRET_KEYS
from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.payments import sql as payments
from eishro.domain.payments.credentials import gateway_credentials
from eishro.domain.payments.port import Paid, Receipt
from eishro.flows.pay_order import record_answer
from tests.books import balances_of_store
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

OWN = {"merchant_id": "10000000001", "terminal_id": "10000001", "secret_key": "ab12cd34"}
_SEALED = Query(sa.select(gateway_credentials.c.sealed), str, across_stores=True)


async def _owner(world: World) -> tuple[Any, int]:
    owner = await world.merchant()
    assert owner.store is not None
    return world.client(**bearer(owner)), owner.store.id


async def _put(client: Any, store_id: int, mode: str = "live", **fields: str | None) -> Any:
    body = {"mode": mode, "fields": {**OWN, **fields}}
    return await client.put(f"/api/stores/{store_id}/gateways/moamalat", json=body)


async def _terminal(client: Any, store_id: int, product_id: int) -> Any:
    """The terminal that a new order's payment goes to, and the payment."""
    placed = await client.post(f"/api/stores/{store_id}/orders", json=order_body(product_id))
    paying = f"/api/orders/{placed.json()['data']['id']}/payments"
    made = (await client.post(paying, json={"method": "moamalat"})).json()["data"]
    return made["action"]["parameters"]["TID"], made["id"]


async def test_secrets_go_in_and_never_come_out(world: World) -> None:
    client, store_id = await _owner(world)
    made = await _put(client, store_id)
    assert made.status_code == 200, made.text
    listed = await client.get(f"/api/stores/{store_id}/gateways")
    (moamalat,) = [one for one in listed.json()["data"] if one["provider"] == "moamalat"]
    assert (moamalat["source"], moamalat["mode"]) == ("store", "live")
    fields = {field["name"]: field for field in moamalat["fields"]}
    assert fields["terminal_id"]["value"] == "10000001"
    assert (fields["secret_key"]["value"], fields["secret_key"]["isSet"]) == (None, True)
    trail = await client.get(f"/api/stores/{store_id}/audit")
    for text in (made.text, listed.text, trail.text, *await world.db.all(_SEALED)):
        assert "ab12cd34" not in text


async def test_a_secret_that_is_left_out_stays(world: World) -> None:
    client, store_id = await _owner(world)
    await _put(client, store_id)
    again = await _put(client, store_id, secret_key=None, terminal_id="10000002")
    assert again.status_code == 200, again.text
    state = await world.product(store_id)
    assert (await _terminal(client, store_id, state.product.id))[0] == "10000002"


async def test_payments_go_to_the_store_s_own_terminal_and_back_again(world: World) -> None:
    client, store_id = await _owner(world)
    state = await world.product(store_id)
    assert (await _terminal(client, store_id, state.product.id))[0] == "T1"
    await _put(client, store_id)
    own, own_payment = await _terminal(client, store_id, state.product.id)
    assert own == "10000001"
    dropped = await client.delete(f"/api/stores/{store_id}/gateways/moamalat")
    assert dropped.json()["data"]["source"] == "platform"
    assert (await _terminal(client, store_id, state.product.id))[0] == "T1"
    # The payment begun at the store's own terminal is still the terminal's: it reads its news.
    forged = await client.post(
        f"/api/payments/{own_payment}/result", json={"MerchantReference": "x"}
    )
    assert forged.status_code == 422
    assert (await client.delete(f"/api/stores/{store_id}/gateways/moamalat")).status_code == 404


async def test_money_at_the_store_s_own_account_is_not_owed_to_it(world: World) -> None:
    client, store_id = await _owner(world)
    state = await world.product(store_id)
    await _put(client, store_id)
    _, payment_id = await _terminal(client, store_id, state.product.id)
    payment = await payments.get_payment(world.db, payment_id)
    receipt = Receipt(
        provider_reference="1",
        terminal="10000001",
        amount_dirhams=payment.amount_dirhams,
        currency="LYD",
    )
    await record_answer(world.shop, payment_id, Paid((receipt,)))
    books = await balances_of_store(world.db, store_id)
    assert books["own:moamalat"] == payment.amount_dirhams
    assert "clearing:moamalat" not in books
    shown = (await client.get(f"/api/stores/{store_id}/ledger/balances")).json()["data"]
    assert shown["owed"] == 0
    assert await find_faults(world.db) == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"merchant_id": ""}, "fields.merchant_id"),
        ({"colour": "red"}, "fields.colour"),
        ({"secret_key": "not hex"}, "fields"),
        ({"stamp_digits": "15"}, "fields.stamp_digits"),
        ({"merchant_id": "9" * 600}, "fields.merchant_id"),
        ({"base_url": "https://169.254.169.254/latest"}, "fields.base_url"),
        ({"base_url": "http://npg.moamalat.net/cube/"}, "fields.base_url"),
        ({"lightbox_url": "https://npg.moamalat.net@evil.example/x.js"}, "fields.lightbox_url"),
    ],
)
async def test_credentials_that_do_not_do_are_refused(
    world: World, fields: dict[str, str], fault: str
) -> None:
    client, store_id = await _owner(world)
    refused = await _put(client, store_id, **fields)
    assert refused.status_code == 422, refused.text
    assert list(refused.json()["error"]["details"]) == [fault]
    assert "not hex" not in refused.text
    assert await world.db.all(_SEALED) == []


async def test_a_store_may_name_the_gateways_own_addresses(world: World) -> None:
    client, store_id = await _owner(world)
    own = {"base_url": "https://tnpg.moamalat.net/cube/paylink.svc/api/"}
    assert (await _put(client, store_id, **own)).status_code == 200


async def test_published_test_values_are_refused_in_production(world: World) -> None:
    client, store_id = await _owner(world)
    published = {"merchant_id": TEST_MERCHANT_ID, "secret_key": TEST_SECRET_KEYS[1].upper()}
    assert (await _put(client, store_id, **published)).status_code == 200
    world.shop.gateways.is_production = True
    refused = await _put(client, store_id, **published)
    assert set(refused.json()["error"]["details"]) == {"fields.merchant_id", "fields.secret_key"}


async def test_only_the_owner_and_nobody_of_another_store(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    assert owner.store is not None
    manager = await world.join(owner, "manager")
    for who in (manager, other):
        client = world.client(**bearer(who))
        assert (await _put(client, owner.store.id)).status_code == 403
    checked = await world.client(**bearer(owner)).post(
        f"/api/stores/{owner.store.id}/gateways/moamalat/check"
    )
    assert checked.status_code == 404  # it has none


async def test_the_original_front_end_signs_the_stored_amount(world: World) -> None:
    client, store_id = await _owner(world)
    state = await world.product(store_id)
    _, payment_id = await _terminal(client, store_id, state.product.id)
    payment = await payments.get_payment(world.db, payment_id)
    shown = (await client.get("/api/moamalat/public")).json()
    assert shown == {"MID": "M1", "TID": "T1", "ENV": "sandbox"}
    body = {
        "AmountTrxn": "1",
        "MerchantReference": payment.reference,
        "TrxDateTime": "202601151030",
        "MID": "M1",
        "TID": "T1",
    }
    signed = await client.post("/api/moamalat/hash", json=body)
    assert signed.json() == {"secureHash": f"{payment.reference}:{payment.amount_dirhams}"}
    for wrong in (
        {"MerchantReference": "nobody's"},
        {"TID": "T2"},
        {"TrxDateTime": "202613451030"},
        {"TrxDateTime": "1768473000"},
    ):
        refused = await client.post("/api/moamalat/hash", json={**body, **wrong})
        assert (refused.status_code, list(refused.json()["error"]["details"])) == (
            422,
            list(wrong),
        )
