"""The Moamalat simulator behaves as the gateway's papers say, and errs when it is asked to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from eishro.clock import TRIPOLI
from eishro.sandbox import moamalat
from eishro.sandbox.moamalat import (
    CARDS,
    DECLINE_CARDS,
    OTP,
    Faults,
    Merchant,
    Refused,
    Simulator,
    Switches,
)
from eishro.sandbox.moamalat_wire import network_reference, sign
from tests.adapters.payments.moamalat_gateway import GOOD_CARD
from tests.adapters.payments.vectors import KEY_A, KEY_B, KEY_C, MID, MID_C, TID, TID_C, VECTORS
from tests.sandbox.moamalat_client import Client, open_client, parameters

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client() as opened:
        yield opened


# Signatures and shapes.


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_gateway_signs_as_published(vector: Any) -> None:
    assert (sign(vector.key, vector.fields) == vector.hash) is vector.is_right


@pytest.mark.parametrize(
    ("at", "stan", "reference"),
    [
        (datetime(2022, 9, 3, 1, 44, tzinfo=TRIPOLI), "434990", "224601434990"),
        (datetime(2025, 3, 2, 18, 25, tzinfo=TRIPOLI), "625396", "506118625396"),
    ],
)
def test_network_references_have_the_shape_of_real_ones(
    at: datetime, stan: str, reference: str
) -> None:
    assert network_reference(at, stan) == reference


def test_a_merchant_shows_no_key() -> None:
    shown = repr(Merchant(MID, TID, KEY_A, KEY_B)) + repr(
        Merchant(MID, TID, KEY_A, KEY_B).__rich_repr__()
    )
    assert KEY_A not in shown
    assert KEY_B not in shown


# The lightbox's request.


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (parameters(KEY_B), "Authentication Failed"),
        ({**parameters(), "AmountTrxn": "25501"}, "Authentication Failed"),
        ({**parameters(), "MerchantReference": ""}, "Authentication Failed"),
        ({**parameters(), "TrxDateTime": "202601151031"}, "Authentication Failed"),
        ({**parameters(), "SecureHash": ""}, "Authentication Failed"),
        (parameters(MID="1"), "Merchant not found"),
        (parameters(TID="1"), "Merchant not found"),
        (parameters(AmountTrxn="0"), "Invalid amount"),
        (parameters(AmountTrxn="25.500"), "Invalid amount"),
        (parameters(AmountTrxn="-1"), "Invalid amount"),
        (parameters(AmountTrxn="٢٥"), "Invalid amount"),
        (parameters(AmountTrxn="1" * 13), "Invalid amount"),
        (parameters(MerchantReference="x" * 65), "Invalid merchant reference"),
        ({}, "Merchant not found"),
    ],
)
async def test_a_request_that_is_not_right_is_refused(
    client: Client, given: dict[str, str], text: str
) -> None:
    with pytest.raises(Refused, match=text):
        await client.simulator.pay(given, card=GOOD_CARD)
    reply = await client.http.post("pay", json={"request": given, "card": GOOD_CARD, "otp": OTP})
    assert text in reply.json()["refused"]
    page = await client.http.get("form", params=given)
    assert text in page.text
    assert not client.simulator.transactions


async def test_a_lower_case_hash_and_an_empty_reference_are_taken(client: Client) -> None:
    given = parameters(MerchantReference="")
    given["SecureHash"] = given["SecureHash"].lower()
    payload = await client.simulator.pay(given, card=GOOD_CARD)
    assert payload["MerchantReference"] == ""


async def test_every_published_card_pays_with_the_published_code(client: Client) -> None:
    for card, expiries in CARDS.items():
        for expiry in (*expiries, None):
            payload = await client.simulator.pay(
                parameters(), card=card, otp="111111", expiry=expiry
            )
            assert payload["PayerAccount"] == f"{card[:6]}XXXXXX{card[-4:]}"


async def test_a_completion_is_signed_with_the_merchant_it_does_not_show(client: Client) -> None:
    payload = await client.pay()
    signed = {
        name: payload[name]
        for name in ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
    }
    expected = sign(KEY_A, {**signed, "MerchantId": MID, "TerminalId": TID})
    assert payload["SecureHash"] == expected
    assert (payload["Amount"], payload["Currency"]) == ("25500", "434")
    assert payload["TxnDate"] == "260115103000"
    assert payload["NetworkReference"] == "601510434990"
    assert not {"MerchantId", "TerminalId"} & payload.keys()


async def test_both_generations_of_the_completion_can_be_had(client: Client) -> None:
    assert {"CardToken", "CustomerId"} <= (await client.pay()).keys()
    client.simulator.switches = Switches(newer_payload=False)
    older = (await client.pay()).keys()
    assert {"DisplayData", "TokenCustomerId", "TokenCard"} <= older
    assert "CardToken" not in older


@pytest.mark.parametrize("card", sorted(DECLINE_CARDS))
async def test_decline_cards_are_declined_for_their_reason(client: Client, card: str) -> None:
    code, text = DECLINE_CARDS[card]
    payload = await client.pay(card=card)
    assert payload["error"].startswith("CUBEEX")
    assert payload["error"].endswith(text)
    assert payload["MerchantReferenece"] == "ORD-1001"
    assert "MerchantReference" not in payload
    (row,) = await client.rows(MerchantReference="ORD-1001")
    assert (row["Status"], row["ResCodeDesc"]) == ("Declined", text)
    (told,) = await client.notifications()
    assert (told["ActionCode"], told["Message"], told["TxnType"]) == (code, text, 1)


async def test_a_card_nobody_knows_and_a_wrong_expiry_are_declined(client: Client) -> None:
    assert "Invalid card" in (await client.pay(card="4111111111111111"))["error"]
    payload = await client.simulator.pay(parameters(), card=GOOD_CARD, expiry="01/20")
    assert "Expired" in payload["error"]


async def test_a_wrong_code_charges_nothing_and_leaves_no_trace(client: Client) -> None:
    payload = await client.simulator.pay(parameters(), card=GOOD_CARD, otp="000000")
    assert payload["error"] == "CUBEEX5212216:Authentication Failed"
    assert await client.rows() == []
    assert await client.notifications() == []


# Notifications and faults.


async def test_a_notification_is_signed_with_its_own_key(client: Client) -> None:
    payload = await client.pay()
    (body,) = await client.notifications()
    names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
    assert body["SecureHash"] == sign(KEY_B, {name: body[name] for name in names})
    assert body["SystemReference"] == payload["SystemReference"]
    assert (body["TxnType"], body["ActionCode"], body["OriginalTxnId"]) == (1, "00", "0")
    assert (body["TrxDateTime"], body["DateTimeLocalTrxn"]) == ("202601151030", "20260115103000")
    assert body["Token"] is None


async def test_notifications_can_be_missing_doubled_or_delayed(client: Client) -> None:
    client.simulator.faults = Faults(notify="never")
    await client.pay()
    assert await client.notifications() == []
    client.simulator.faults = Faults(notify="twice", notify_delay_seconds=30)
    await client.pay()
    first, second = await client.notifications()
    assert first == second
    assert client.gateway.slept == [30, 30]


async def test_notifications_can_change_their_order(client: Client) -> None:
    client.simulator.faults = Faults(reorder_notifications=True)
    await client.pay("ORD-1")
    assert await client.notifications() == []
    await client.pay("ORD-2")
    told = await client.notifications()
    assert [body["MerchantReference"] for body in told] == ["ORD-2", "ORD-1"]
    await client.pay("ORD-3")
    assert len(await client.notifications()) == 2
    await client.http.put("faults", json={})  # what was kept back goes out
    assert len(await client.notifications()) == 3


async def test_notifications_can_lie(client: Client) -> None:
    client.simulator.faults = Faults(notification_amount="1", forge_notification=True)
    await client.pay()
    (body,) = await client.notifications()
    assert (body["Amount"], body["SecureHash"]) == ("1", "F" * 64)


async def test_money_can_come_after_the_browser_was_told_otherwise(client: Client) -> None:
    waited = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await waited.wait()
        client.gateway.clock.turn(timedelta(seconds=seconds))

    client.simulator._sleep = sleep
    client.simulator.faults = Faults(late_success_seconds=60)
    assert "timed out" in (await client.pay())["error"]
    assert await client.rows() == []
    assert client.gateway.arrived == []
    waited.set()
    (body,) = await client.notifications()
    assert body["ActionCode"] == "00"
    assert len(await client.rows()) == 1


async def test_any_card_can_be_declined(client: Client) -> None:
    client.simulator.faults = Faults(decline="91")
    assert "inoperative" in (await client.pay())["error"]
    client.simulator.faults = Faults(decline="77")
    assert "Declined" in (await client.pay())["error"]


async def test_a_new_transaction_can_be_hidden_from_some_questions(client: Client) -> None:
    client.simulator.faults = Faults(filter_not_found_times=2)
    await client.pay()
    assert await client.rows(MerchantReference="other") == []  # no question about it
    assert await client.rows(MerchantReference="ORD-1001") == []
    assert await client.rows(DateFrom="20260101") == []
    assert len(await client.rows()) == 1


async def test_a_merchant_that_is_down_does_not_stop_the_gateway(client: Client) -> None:
    async def notify(body: dict[str, Any]) -> None:
        raise ConnectionError("nobody there")

    simulator = Simulator(client.gateway.merchant, client.gateway.clock, notify)
    assert "error" not in await simulator.pay(parameters(), card=GOOD_CARD)
    await simulator.settle()
    await simulator.aclose()


async def test_several_merchants_do_not_see_each_other(client: Client) -> None:
    told: list[dict[str, Any]] = []

    async def notify(body: dict[str, Any]) -> None:
        told.append(body)

    other = Merchant(MID_C, TID_C, KEY_C, KEY_C)
    simulator = Simulator(client.gateway.merchant, client.gateway.clock, notify, further=[other])
    await simulator.pay(parameters(), card=GOOD_CARD)
    await simulator.pay(parameters(KEY_C, MID=MID_C, TID=TID_C), card=GOOD_CARD)
    await simulator.settle()
    assert {body["MerchantId"] for body in told} == {MID, MID_C}
    signed = {"DateTimeLocalTrxn": "20260115103000", "MerchantId": MID_C, "TerminalId": TID_C}
    _, reply = simulator.filter(
        {**signed, "SecureHash": sign(KEY_C, signed), "DisplayStart": 0, "DisplayLength": 9}
    )
    assert reply["TotalCountAllTransaction"] == 1


async def test_what_it_remembers_is_bounded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat, "TRANSACTIONS_MAX", 3)
    simulator = Simulator(client.gateway.merchant, client.gateway.clock, client.gateway._notify)
    simulator.faults = Faults(notify="never")
    for number in range(5):
        await simulator.pay(parameters(MerchantReference=f"ORD-{number}"), card=GOOD_CARD)
    assert [row.reference for row in simulator.transactions] == ["ORD-2", "ORD-3", "ORD-4"]
