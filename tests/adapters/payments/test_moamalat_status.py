"""CheckTxnStatus: what Moamalat says of one transaction, read with care."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from eishro.adapters.payments.moamalat_status import read_status
from eishro.outward import HttpReply, NoReply
from tests.adapters.payments.moamalat_desk import Desk
from tests.adapters.payments.moamalat_gateway import POOR_CARD, open_gateway

pytestmark = pytest.mark.anyio
YES = {"Success": True, "IsPaid": True, "ActionCode": "00", "SystemReference": "7"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (YES, "paid"),
        ({**YES, "SystemReference": 7}, "paid"),
        ({**YES, "SystemReference": "8"}, "unknown"),
        ({**YES, "IsPaid": False}, "unknown"),
        ({**YES, "ActionCode": "05"}, "unknown"),
        ({**YES, "ActionCode": None}, "unknown"),
        ({**YES, "IsPaid": False, "ActionCode": "51"}, "declined"),
        ({**YES, "Success": "true"}, "unknown"),
        ({"Success": False, "Message": "Transaction not found"}, "absent"),
        ({"Success": False, "Message": "CUBEEX5250002:DateTimeLocalTrxn"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_only_what_agrees_with_itself_is_said(said: dict[str, Any], expected: str) -> None:
    assert read_status(said, "7") == expected


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_gateway() as gateway:
        opened = Desk(gateway)
        yield opened
        await opened.provider.aclose()


async def test_the_gateway_is_asked_by_the_transaction_s_number(desk: Desk) -> None:
    await desk.pay(desk.intent(1))
    await desk.pay(desk.intent(2), POOR_CARD)
    paid, declined = (row.transaction_id for row in desk.simulator.transactions)
    provider = desk.provider
    said = [await provider.status_of(number) for number in (paid, declined, "404")]
    assert said == ["paid", "declined", "absent"]
    assert desk.http.bodies[0].keys() == {
        "MerchantId",
        "TerminalId",
        "DateTimeLocalTrxn",
        "SecureHash",
        "TxnId",
    }
    assert desk.http.stamps == sorted(set(desk.http.stamps)), "each call has a later stamp"


class Broken:
    """A gateway of which no answer comes, or none that can be read."""

    def __init__(self, reply: HttpReply | NoReply) -> None:
        self._reply = reply

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        del url, body, more
        if isinstance(self._reply, NoReply):
            raise self._reply
        return self._reply


@pytest.mark.parametrize(
    "reply",
    [
        NoReply("timed out", sent=True),
        HttpReply(500, b"{}"),
        HttpReply(200, b"<html>"),
        HttpReply(200, b"[" * 50_000),
        HttpReply(200, b'{"Success":true,"IsPaid":true,"ActionCode":"00","SystemReference":"8"}'),
    ],
)
async def test_without_a_clear_answer_nothing_is_said(
    desk: Desk, reply: HttpReply | NoReply
) -> None:
    provider = desk.gateway.provider(http=Broken(reply))
    assert await provider.status_of("7") == "unknown"
    await provider.aclose()
    assert await provider.status_of("7") == "unknown"
