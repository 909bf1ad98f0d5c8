"""The Moamalat simulator behaves as the gateway's papers say, and errs when it is asked to."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import falcon.asgi
import httpx
import pytest
from playwright.async_api import Frame, Page, async_playwright, expect

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
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, POOR_CARD, Gateway, open_gateway
from tests.adapters.payments.vectors import KEY_A, KEY_B, KEY_C, MID, MID_C, TID, TID_C, VECTORS

pytestmark = pytest.mark.anyio

FILTER = "cube/paylink.svc/api/FilterTransactions"
REFUND = "cube/paylink.svc/api/RefundTransaction"
STATUS = "cube/paylink.svc/api/CheckTxnStatus"


class Client:
    """A merchant's program that follows the papers by hand."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.simulator = gateway.simulator
        self.http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=10)
        self._calls = 0

    async def call(self, path: str, key: str = KEY_A, **fields: Any) -> httpx.Response:
        self._calls += 1
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self._calls)
        signed = {
            "DateTimeLocalTrxn": at.strftime("%Y%m%d%H%M%S"),
            "MerchantId": MID,
            "TerminalId": TID,
        }
        signed |= {name: fields.pop(name) for name in list(signed) if name in fields}
        return await self.http.post(
            path, json={**signed, "SecureHash": sign(key, signed).lower(), **fields}
        )

    async def rows(self, **fields: Any) -> list[dict[str, Any]]:
        reply = await self.call(FILTER, **{"DisplayStart": 0, "DisplayLength": 50, **fields})
        assert reply.status_code == 200
        body = reply.json()
        found = [row for day in body["Transactions"] for row in day["DateTransactions"]]
        assert body["TotalCountAllTransaction"] >= len(found)
        return found

    async def pay(self, reference: str = "ORD-1001", card: str = GOOD_CARD) -> dict[str, Any]:
        return await self.simulator.pay(parameters(MerchantReference=reference), card=card)

    async def notifications(self) -> list[dict[str, Any]]:
        await self.simulator.settle()
        return [json.loads(raw) for _, raw in self.gateway.arrived]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_gateway() as gateway:
        opened = Client(gateway)
        yield opened
        await opened.http.aclose()


def parameters(key: str = KEY_A, **changes: str) -> dict[str, str]:
    """A lightbox request as a merchant's server signs it."""
    fields = {
        "MID": MID,
        "TID": TID,
        "AmountTrxn": "25500",
        "MerchantReference": "ORD-1001",
        "TrxDateTime": "202601151030",
        **changes,
    }
    signed = {
        "Amount": fields["AmountTrxn"],
        "DateTimeLocalTrxn": fields["TrxDateTime"],
        "MerchantId": fields["MID"],
        "MerchantReference": fields["MerchantReference"],
        "TerminalId": fields["TID"],
    }
    return {"SecureHash": sign(key, signed), **fields}


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


# The REST calls.


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


# Pages.


async def test_pages_allow_no_foreign_and_no_inline_script(client: Client) -> None:
    page = await client.http.get("form", params={**parameters(), "opener": "http://shop.ly"})
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.text.count("<script") == 2  # the data block and a file of our own
    assert "http" not in page.text.replace("http://shop.ly", "")
    for name in ("static/form.js", "static/form.css", "js/lightbox.js"):
        assert (await client.http.get(name)).status_code == 200
    assert (await client.http.get("static/form.html")).status_code == 404


async def test_nothing_from_the_address_becomes_markup(client: Client) -> None:
    evil = '</script><script>alert(1)</script>"&<b>'
    given = parameters(MerchantReference=evil)
    for query in ({**given, "opener": evil, "lang": evil}, {**given, "SecureHash": evil}):
        page = await client.http.get("form", params=query)
        assert page.text.count("<script") == 2
        assert "<b>" not in page.text.partition('id="given"')[2]


SHOP_PAGE = """<!doctype html><html lang="{language}"><head><title>shop</title>
<link rel="icon" href="data:,"></head><body>
<script src="{script}"></script><script>
var heard = [];
Lightbox.Checkout.configure = Object.assign({parameters}, {{
  completeCallback: function (data) {{ heard.push(["complete", data]); }},
  errorCallback: function (data) {{ heard.push(["error", data]); }},
  cancelCallback: function () {{ heard.push(["cancel"]); }}
}});
Lightbox.Checkout.showLightbox();
</script></body></html>"""


class Shop:
    """A shop's page with the lightbox open."""

    html = ""

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.content_type = "text/html; charset=utf-8"
        response.text = self.html


class Browser:
    """A phone that shows the shop's page; the gateway stands on another origin."""

    def __init__(self, page: Page, gateway: Gateway) -> None:
        self.page = page
        self._gateway = gateway
        self._shop = Shop()
        gateway.app.add_route("/shop", self._shop)

    async def open(self, given: dict[str, str], language: str = "ar") -> Frame:
        self._shop.html = SHOP_PAGE.format(
            language=language,
            script=f"{self._gateway.url}/js/lightbox.js",
            parameters=json.dumps(given),
        )
        await self.page.goto(f"http://localhost:{self._gateway.port}/shop")
        element = await self.page.wait_for_selector("#moamalat-lightbox")
        assert element is not None
        frame = await element.content_frame()
        assert frame is not None
        await frame.wait_for_load_state()
        return frame

    async def heard(self, count: int) -> list[list[Any]]:
        await self.page.wait_for_function(f"heard.length >= {count}")
        found: list[list[Any]] = await self.page.evaluate("heard")
        return found


@pytest.fixture
async def browser(client: Client) -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("the browser tests need chromium: apt-get install chromium fonts-noto-core")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await started.new_page(viewport={"width": 360, "height": 640})
        page.set_default_timeout(10_000)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        yield Browser(page, client.gateway)
        await started.close()
        assert complaints == []


async def test_the_form_pays_in_a_frame_of_another_origin(client: Client, browser: Browser) -> None:
    frame = await browser.open(parameters())
    assert await frame.evaluate("document.dir") == "rtl"
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await frame.evaluate(overflow) == 0
    await expect(frame.locator(".amount")).to_contain_text("25.500")
    await frame.fill("#pan", "٦٣٩٤ 9930 7726 0781")
    await frame.fill("#expiry", "10/2027")
    await frame.click("#card button")
    await frame.fill("#otp", "١١١١١١")
    await frame.click("#pay")
    ((kind, payload),) = await browser.heard(1)
    assert kind == "complete"
    assert payload["MerchantReference"] == "ORD-1001"
    (row,) = client.simulator.transactions
    assert payload["SystemReference"] == row.transaction_id
    await frame.click("#cancel")  # closing the receipt is a cancel, as at the gateway
    assert [news[0] for news in await browser.heard(2)] == ["complete", "cancel"]
    await expect(browser.page.locator("#moamalat-lightbox")).to_have_count(0)


async def test_the_form_takes_another_card_after_a_declined_one(browser: Browser) -> None:
    frame = await browser.open(parameters(), language="en")
    assert await frame.evaluate("document.dir") == "ltr"
    for card in (POOR_CARD, GOOD_CARD):
        await frame.fill("#pan", card)
        await frame.click("#card button")
        await frame.fill("#otp", OTP)
        await frame.click("#pay")
        await frame.wait_for_selector("#note:not(:empty)")
    assert [news[0] for news in await browser.heard(2)] == ["error", "complete"]


async def test_the_form_stays_closed_for_a_request_that_is_not_signed(browser: Browser) -> None:
    frame = await browser.open({**parameters(), "AmountTrxn": "1"})
    await expect(frame.locator("#card")).to_be_hidden()
    ((kind, payload),) = await browser.heard(1)
    assert (kind, payload["error"]) == ("error", "CUBEEX5212216:Authentication Failed")
    await frame.click("#cancel")
    assert (await browser.heard(2))[1] == ["cancel"]


async def test_the_lightbox_hears_nobody_but_its_own_frame(browser: Browser) -> None:
    await browser.open(parameters())
    await browser.page.evaluate("postMessage({kind: 'complete', payload: {}}, '*')")
    await browser.page.evaluate(
        """async () => {
          const other = document.createElement("iframe");
          other.srcdoc = "<script>parent.postMessage({kind: 'complete'}, '*')</" + "script>";
          document.body.appendChild(other);
          await new Promise((done) => setTimeout(done, 200));
          Lightbox.Checkout.closeLightbox();
        }"""
    )
    assert await browser.page.evaluate("heard") == []
