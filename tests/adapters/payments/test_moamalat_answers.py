"""What comes back from FilterTransactions over the wire, and what is made of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from eishro.adapters.payments import moamalat_queries
from eishro.adapters.payments.moamalat import Moamalat
from eishro.domain.payments.port import Paid, Unknown
from eishro.outward import HttpReply, NoReply
from eishro.sandbox.moamalat import Faults
from tests.adapters.payments.moamalat_desk import Desk
from tests.adapters.payments.moamalat_gateway import (
    POOR_CARD,
    open_gateway,
    refund_body,
)
from tests.adapters.payments.vectors import KEY_B, TID

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_gateway() as gateway:
        opened = Desk(gateway)
        yield opened
        await opened.provider.aclose()


async def test_a_receipt_tells_what_is_worth_keeping(desk: Desk) -> None:
    intent = desk.intent()
    payload = await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    (receipt,) = answer.receipts
    assert receipt.provider_reference == payload["SystemReference"]
    assert (receipt.terminal, receipt.amount_dirhams, receipt.currency) == (TID, 25_500, "LYD")
    assert receipt.details["networkReference"] == payload["NetworkReference"]
    assert receipt.details["card"] == "639499XXXXXX0781"
    assert receipt.details["authCode"]


async def test_a_payer_who_was_charged_twice_has_two_receipts(desk: Desk) -> None:
    desk.simulator.faults = Faults(charge_twice=True)
    intent = desk.intent()
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert len({receipt.provider_reference for receipt in answer.receipts}) == 2


async def test_another_amount_is_told_as_it_is(desk: Desk) -> None:
    desk.simulator.faults = Faults(filter_amount="1")
    intent = desk.intent()
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert answer.receipts[0].amount_dirhams == 1


async def test_money_that_comes_late_is_found(desk: Desk) -> None:
    desk.simulator.faults = Faults(late_success_seconds=90, notify="never")
    intent = desk.intent()
    payload = await desk.pay(intent)
    assert payload["error"].endswith("timed out")
    assert isinstance((await desk.ask(intent))[0], Unknown)
    desk.gateway.clock.turn(timedelta(seconds=90))
    assert isinstance((await desk.ask(intent))[0], Paid)


@pytest.mark.parametrize("is_settled", [False, True])
async def test_a_sale_that_was_undone_is_not_paid(desk: Desk, is_settled: bool) -> None:
    desk.simulator.switches.is_settled = is_settled
    intent = desk.intent()
    payload = await desk.pay(intent)
    status, reply = desk.simulator.refund(
        refund_body(desk.gateway, payload["SystemReference"], intent)
    )
    assert (status, reply["Success"]) == (200, True)
    desk.gateway.clock.turn(timedelta(minutes=1))
    assert await desk.ask(intent) == [Unknown("the sale was voided or refunded in full")]
    await desk.pay(intent)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Paid)
    assert len(answer.receipts) == 1


@pytest.mark.parametrize(
    "faults",
    [
        Faults(filter_status=500),
        Faults(filter_status=401),
        Faults(filter_status=302),
        Faults(filter_status=404),
        Faults(filter_body="<html>"),
        Faults(filter_body=""),
        Faults(filter_body="[]"),
        Faults(filter_body='{"Success":false,"Message":"CUBEEX1:No"}'),
        Faults(filter_body='{"Success":"true"}'),
        Faults(filter_body='{"Success":true,"Transactions":7}'),
        Faults(filter_body='{"Success":true,"Transactions":[[]]}'),
        Faults(filter_body='{"Success":true,"Transactions":[{"DateTransactions":[1]}]}'),
        Faults(filter_body="[" * 100_000),
        Faults(filter_is_huge=True),
    ],
    ids=lambda faults: str(faults)[:60],
)
async def test_no_clear_answer_is_unknown(desk: Desk, faults: Faults) -> None:
    intent = desk.intent()
    await desk.pay(intent)
    desk.simulator.faults = faults
    answers = [*await desk.ask(intent), *await desk.ask(intent, desk.intent(2))]
    assert all(isinstance(answer, Unknown) for answer in answers)
    desk.simulator.faults = Faults()
    assert isinstance((await desk.ask(intent))[0], Paid)


async def test_a_gateway_that_does_not_answer_in_time_is_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "TIMEOUT_SECONDS", 0.1)
    intent = desk.intent()
    await desk.pay(intent)
    desk.simulator.faults = Faults(filter_delay_seconds=0.3)
    (answer,) = await desk.ask(intent)
    assert isinstance(answer, Unknown)
    assert "timed out" in answer.reason


async def test_a_gateway_that_is_not_there_is_unknown(desk: Desk) -> None:
    away = desk.gateway.provider(base_url="http://127.0.0.1:1/api/")
    assert isinstance(await away.query(desk.intent()), Unknown)
    await away.aclose()


async def test_a_wrong_key_is_unknown(desk: Desk) -> None:
    wrong: Moamalat = desk.gateway.provider(secret_key=KEY_B)
    assert await wrong.query(desk.intent()) == Unknown("the gateway answers with HTTP status 401")
    await wrong.aclose()


async def test_an_http_port_that_raises_something_else_is_unknown(desk: Desk) -> None:
    class Cut:
        async def post_json(self, url: str, body: Mapping[str, object], **_: Any) -> HttpReply:
            raise NoReply("cut off", sent=True) if "MerchantReference" in body else OSError("?")

    cut = desk.gateway.provider(http=Cut())
    assert await cut.query(desk.intent()) == Unknown("no reply: cut off", is_unreachable=True)
    both = await asyncio.gather(cut.query(desk.intent(1)), cut.query(desk.intent(2)))
    assert all(isinstance(answer, Unknown) for answer in both)
    await cut.aclose()


async def test_a_listing_that_does_not_add_up_decides_nothing(desk: Desk) -> None:
    intent = desk.intent()
    await desk.pay(intent)

    def listing(*rows: dict[str, Any]) -> Faults:
        reply = {
            "Success": True,
            "TotalCountAllTransaction": 3,
            "Transactions": [{"DateTransactions": list(rows)}],
        }
        return Faults(filter_body=json.dumps(reply))

    one = {"MerchantReference": intent.reference, "TransactionId": "1", "Status": "Declined"}
    desk.simulator.faults = listing()
    assert await desk.ask(intent) == [
        Unknown("the gateway lists fewer transactions than it counts")
    ]
    desk.simulator.faults = listing(one)
    assert await desk.ask(intent) == [Unknown("the gateway repeats a page")]


async def test_a_listing_without_end_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moamalat_queries, "PAGE_ROWS", 1)
    monkeypatch.setattr(moamalat_queries, "PAGES_MAX", 3)
    intent = desk.intent()
    for _ in range(6):
        await desk.pay(intent, POOR_CARD)
    assert await desk.ask(intent) == [Unknown("more transactions than are read")]
    assert len(desk.http.bodies) <= 3
