"""RefundTransaction of the simulated gateway, and what it does wrong on request."""

from collections.abc import AsyncIterator

import pytest

from eishro.sandbox.moamalat import Faults
from tests.sandbox.moamalat_client import REFUND, Client, open_client

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client() as opened:
        yield opened


async def test_a_part_before_settlement_is_refused_with_the_reason(client: Client) -> None:
    sale = await client.pay()
    reply = await client.call(REFUND, AmountTrxn="100", SystemReference=sale["SystemReference"])
    assert reply.status_code == 200
    assert "Must void total amount" in reply.json()["Message"]
    (row,) = await client.rows()
    assert (row["IsMustVoidTotalAmount"], row["RemainingRefundAmount"]) == (True, "25500.000")


async def test_the_remaining_amount_falls_with_each_refund(client: Client) -> None:
    client.simulator.switches.is_settled = True
    sale = await client.pay()
    for left in ("15500.000", "5500.000"):
        reply = await client.call(
            REFUND, AmountTrxn="10000", SystemReference=sale["SystemReference"]
        )
        assert reply.json()["Success"] is True
        rows = {row["TransactionId"]: row for row in await client.rows()}
        assert rows[sale["SystemReference"]]["RemainingRefundAmount"] == left
    much = await client.call(REFUND, AmountTrxn="5501", SystemReference=sale["SystemReference"])
    assert "Invalid amount" in much.json()["Message"]
    told = await client.notifications()
    assert [body["TxnType"] for body in told] == [1, 2, 2]
    assert told[-1]["OriginalTxnId"] == sale["SystemReference"]


async def test_refunds_can_go_wrong_before_and_after(client: Client) -> None:
    sale = await client.pay()
    names = {"AmountTrxn": "25500", "SystemReference": sale["SystemReference"]}
    client.simulator.faults = Faults(refund_fails="before")
    assert (await client.call(REFUND, **names)).status_code == 503
    assert len(client.simulator.transactions) == 1
    client.simulator.faults = Faults(refund_fails="after")
    assert (await client.call(REFUND, **names)).status_code == 504
    assert len(client.simulator.transactions) == 2
    client.simulator.faults = Faults()
    again = await client.call(REFUND, **names)
    assert again.json() == {
        "Message": "CUBEEX5250616:Transaction Already Refunded",
        "Success": False,
    }


async def test_refunds_can_be_listed_late_without_reference_or_with_another_amount(
    client: Client,
) -> None:
    sale = await client.pay()
    client.simulator.faults = Faults(refund_not_found_times=1)
    await client.call(REFUND, AmountTrxn="25500", SystemReference=sale["SystemReference"])
    assert len(await client.rows()) == 1
    client.simulator.faults = Faults(refund_hides_reference=True, refund_is_listed_as="7")
    assert [row["TransType"] for row in await client.rows(MerchantReference="ORD-1001")] == ["Sale"]
    undo, sold = await client.rows()
    assert (undo["MerchantReference"], undo["Amnt"], sold["Amnt"]) == (None, "7", "25500")
    assert undo["OriginalTxnId"] == sale["SystemReference"]


async def test_a_slow_refund_is_done_all_the_same(client: Client) -> None:
    sale = await client.pay()
    client.simulator.faults = Faults(refund_delay_seconds=0.05)
    reply = await client.call(REFUND, AmountTrxn="25500", SystemReference=sale["SystemReference"])
    assert reply.json()["Success"] is True
