"""The simulator's REST calls answer in the gateway's shapes; its own switches work over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from eishro.sandbox.moamalat import Faults, Switches
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, POOR_CARD
from tests.adapters.payments.vectors import KEY_A, KEY_B
from tests.sandbox.moamalat_client import FILTER, REFUND, STATUS, Client, open_client

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client() as opened:
        yield opened


async def test_a_wrong_signature_or_terminal_gets_the_gateways_401(client: Client) -> None:
    for reply in (
        await client.call(FILTER, KEY_B, DisplayStart="0", DisplayLength="1"),
        await client.call(REFUND, MerchantId="1"),
        await client.call(STATUS, TerminalId="1"),
        await client.http.post(FILTER, json={}),
        await client.http.post(FILTER, content=b"not json"),
    ):
        assert reply.status_code == 401
        assert reply.json() == {
            "Message": "Authentication failed.",
            "StackTrace": None,
            "ExceptionType": "System.InvalidOperationException",
        }


async def test_the_path_is_taken_in_any_case(client: Client) -> None:
    for path in (FILTER, FILTER.upper(), "Cube/PayLink.svc/api/filtertransactions"):
        reply = await client.call(path, DisplayStart="0", DisplayLength="1")
        assert reply.status_code == 200
    assert (await client.call("cube/paylink.svc/api/PayByCard")).status_code == 404
    assert (await client.call("cube/other.svc/api/FilterTransactions")).status_code == 404


async def test_a_stamp_must_grow_unless_that_is_switched_off(client: Client) -> None:
    fields = {"DisplayStart": "0", "DisplayLength": "1"}

    async def is_taken(stamp: str) -> bool:
        reply = await client.call(FILTER, DateTimeLocalTrxn=stamp, **fields)
        assert reply.status_code == 200
        taken: bool = reply.json()["Success"]
        return taken

    assert await is_taken("20260115103000")
    assert not await is_taken("20260115103000")
    assert not await is_taken("20260115102959")
    assert await is_taken("20260115103001")
    assert await is_taken("20260115103001000")  # another form
    assert await is_taken("20260115103001001")
    client.simulator.switches = Switches(unique_stamps=False)
    assert await is_taken("20260115103001")
    assert await is_taken("20260115103001")


async def test_a_transaction_is_listed_as_the_papers_say(client: Client) -> None:
    payload = await client.pay()
    reply = (await client.call(FILTER, DisplayStart="0", DisplayLength="1")).json()
    assert (reply["Success"], reply["Message"]) == (True, None)
    assert reply["TotalAmountAllTransaction"] == 25_500
    (day,) = reply["Transactions"]
    assert (day["Date"], day["DateTotalAmount"]) == ("15/01/2026", "25500")
    (row,) = day["DateTransactions"]
    assert row["TransactionId"] == payload["SystemReference"]
    assert row["RRN"] == row["ReceiptNo"] == payload["NetworkReference"]
    assert (row["AmountTrxn"], row["Amnt"], row["Currency"]) == ("25500.000", "25500", "LYD")
    assert row["TxnDateTime"] == "15/01/26  10:30"
    assert (row["TransType"], row["Status"], row["OriginalTxnId"]) == ("Sale", "Approved", "")
    assert row["IsMustVoidTotalAmount"] is True


async def test_nothing_found_is_said_in_the_gateways_words(client: Client) -> None:
    reply = await client.call(FILTER, DisplayStart="0", DisplayLength="1", MerchantReference="x")
    assert reply.json() == {
        "Message": "Transaction not found",
        "Success": True,
        "TotalAmountAllTransaction": 0,
        "TotalAmountTipsTransaction": 0,
        "TotalCountAllTransaction": 0,
        "Transactions": [],
    }


async def test_listings_are_filtered_sorted_and_paged(client: Client) -> None:
    for number in range(3):
        await client.pay(f"ORD-{number}")
    client.gateway.clock.turn(timedelta(days=1))
    last = await client.pay("ORD-3")

    async def references(**fields: Any) -> list[str]:
        return [row["MerchantReference"] for row in await client.rows(**fields)]

    assert await references() == ["ORD-3", "ORD-2", "ORD-1", "ORD-0"]
    assert await references(SortDir="asc") == ["ORD-0", "ORD-1", "ORD-2", "ORD-3"]
    assert await references(DisplayStart="1", DisplayLength="2") == ["ORD-2", "ORD-1"]
    assert await references(DisplayStart="9") == []
    assert await references(DateFrom="20260116") == ["ORD-3"]
    assert await references(DateTo="20260115") == ["ORD-2", "ORD-1", "ORD-0"]
    assert await references(NetworkReference=last["NetworkReference"]) == ["ORD-3"]
    assert await references(MerchantReference="ORD-1") == ["ORD-1"]


@pytest.mark.parametrize(
    ("start", "length"), [("-1", "1"), ("0", "0"), ("a", "1"), ("0", ""), (None, 1), ("0", "1.5")]
)
async def test_a_range_that_is_none_is_refused(client: Client, start: Any, length: Any) -> None:
    reply = await client.call(FILTER, DisplayStart=start, DisplayLength=length)
    assert (reply.status_code, reply.json()["Success"]) == (200, False)


async def test_before_the_days_end_money_is_voided_and_later_refunded(client: Client) -> None:
    first, second = await client.pay("ORD-1"), await client.pay("ORD-2")
    part = await client.call(REFUND, AmountTrxn="1000", SystemReference=first["SystemReference"])
    assert part.json()["Success"] is False
    whole = await client.call(
        REFUND, AmountTrxn="25500", NetworkReference=first["NetworkReference"]
    )
    assert (whole.json()["Success"], whole.json()["Message"]) == (True, "Approved")
    client.gateway.clock.turn(timedelta(days=1))
    for amount in ("10000", "15500"):
        reply = await client.call(
            REFUND, AmountTrxn=amount, SystemReference=second["SystemReference"]
        )
        assert reply.json()["Success"] is True
    again = await client.call(REFUND, AmountTrxn="1", SystemReference=second["SystemReference"])
    assert again.json()["Message"] == "CUBEEX5250616:Transaction Already Refunded"
    rows = await client.rows()
    kinds = [(row["TransType"], row["OriginalTxnId"]) for row in rows if row["IsRefund"]]
    assert kinds == [
        ("Refund", second["SystemReference"]),
        ("Refund", second["SystemReference"]),
        ("Void Sale", first["SystemReference"]),
    ]
    told = await client.notifications()
    assert sorted(body["TxnType"] for body in told) == [1, 1, 2, 2, 3]
    undone = next(body for body in told if body["TxnType"] == 3)
    assert undone["OriginalTxnId"] == first["SystemReference"]
    assert undone["SystemReference"] == whole.json()["RefNumber"]


@pytest.mark.parametrize("amount", ["0", "-1", "25501", "25.5", "", None])
async def test_no_more_than_was_paid_goes_back(client: Client, amount: Any) -> None:
    client.simulator.switches = Switches(is_settled=True)
    sale = await client.pay()
    reply = await client.call(REFUND, AmountTrxn=amount, SystemReference=sale["SystemReference"])
    assert (reply.status_code, reply.json()["Success"]) == (200, False)


async def test_only_an_approved_sale_is_refunded(client: Client) -> None:
    await client.pay(card=POOR_CARD)
    for reference in (client.simulator.transactions[0].transaction_id, "77", ""):
        reply = await client.call(REFUND, AmountTrxn="25500", SystemReference=reference)
        assert reply.json()["Success"] is False


async def test_one_transactions_status_can_be_asked(client: Client) -> None:
    sale = await client.pay()
    reply = (await client.call(STATUS, TxnId=sale["SystemReference"])).json()
    assert (reply["IsPaid"], reply["ActionCode"]) == (True, "00")
    assert (await client.call(STATUS, TxnId="1")).json()["Success"] is False


async def test_faults_and_switches_are_set_over_http(client: Client) -> None:
    reply = await client.http.put("faults", json={"charge_twice": True})
    assert reply.json()["charge_twice"] is True
    assert client.simulator.faults == Faults(charge_twice=True)
    await client.pay()
    assert len((await client.http.get("transactions")).json()) == 2
    await client.http.put("switches", json={"is_settled": True})
    assert (await client.http.get("switches")).json()["is_settled"] is True
    for wrong in ({"chargetwice": True}, {"notify": "thrice"}, {"filter_status": "500"}):
        assert (await client.http.put("faults", json=wrong)).status_code == 422
    assert client.simulator.faults == Faults(charge_twice=True)


async def test_nothing_shows_a_whole_card_number(client: Client) -> None:
    await client.pay()
    listed = (await client.http.get("transactions")).text + str(client.simulator.transactions)
    assert GOOD_CARD not in listed
    assert KEY_A not in listed
