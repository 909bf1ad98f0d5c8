"""The simulated Plutu account behaves as its papers say, errs on request, and has usable pages."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import falcon.asgi
import httpx
import msgspec
import pytest

from eishro.clock import ManualClock
from eishro.sandbox.plutu import Simulator
from eishro.sandbox.plutu_door import SimulatorDoor, open_plutu
from eishro.sandbox.plutu_wire import Account, card_return, sign, with_query
from eishro.sandbox.simulators import SIMULATORS
from tests.adapters.payments.plutu_messages import KEY, VECTORS, Scripted, Vector

pytestmark = pytest.mark.anyio

RETURN = "https://shop.example/back?order=17"
DATA = "http://plutu.test/sandbox/plutu"
CALLBACK = "https://shop.example/api/webhooks/payments/plutu"


class Shop:
    """A shop that talks to the simulator by the papers, without our adapter."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[dict[str, Any]] = []
        account = Account("token", "key", KEY)
        self.simulator = Simulator(account, self.clock, self._hear, sleep=self._sleep)
        app: Any = falcon.asgi.App()
        SimulatorDoor(self.simulator, sleep=self._sleep).add_routes(app, "/sandbox/plutu")
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=DATA)
        self.slept: list[float] = []

    async def _hear(self, url: str, body: dict[str, Any]) -> None:
        assert url == CALLBACK
        self.told.append(json.loads(msgspec.json.encode(body)))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def call(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        keys = {"Authorization": "Bearer token", "X-API-KEY": "key", **headers}
        return await self.http.post(f"/api/v1/transaction/{path}", data=form, headers=keys)

    async def code(self, reply: httpx.Response) -> str:
        return str(reply.json()["error"]["code"])

    async def verify(self, gateway: str = "sadadapi", **changes: str) -> httpx.Response:
        form = {"mobile_number": "0913632323", "birth_year": "1991", "amount": "25.50"}
        return await self.call(f"{gateway}/verify", {**form, **changes})

    async def confirm(self, gateway: str = "sadadapi", **changes: str) -> httpx.Response:
        form = {"code": "111111", "amount": "25.50", "invoice_no": "ORD-1", "process_id": "1"}
        return await self.call(f"{gateway}/confirm", {**form, **changes})

    async def page(self, gateway: str, **changes: str) -> str:
        form = {"amount": "25.50", "invoice_no": "ORD-1", "return_url": RETURN, "lang": "en"}
        if gateway == "tlync":
            form |= {"callback_url": CALLBACK, "mobile_number": "0913632323"}
        reply = await self.call(f"{gateway}/confirm", {**form, **changes})
        assert reply.status_code == 200, reply.text
        result = reply.json()["result"]
        assert result["code"] == "CHECKOUT_REDIRECT"
        return str(result["redirect_url"])

    async def faults(self, **faults: object) -> None:
        assert (await self.http.put("/faults", json=faults)).status_code == 200


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    opened = Shop()
    yield opened
    await opened.simulator.aclose()
    await opened.http.aclose()


def process_of(reply: httpx.Response) -> str:
    process_id = str(reply.json()["result"]["process_id"])
    assert re.fullmatch(r"[0-9]{13}", process_id)
    return process_id


@pytest.mark.parametrize("vector", VECTORS[5:9], ids=lambda vector: vector.name)
def test_it_signs_as_the_gateway_does(vector: Vector) -> None:
    fields = [tuple(pair.split("=")) for pair in vector.text.split("&")]
    assert sign(vector.key, fields) == vector.hash  # type: ignore[arg-type]


async def test_the_keys_are_looked_at_first(shop: Shop) -> None:
    for headers in ({"Authorization": "Bearer x"}, {"X-API-KEY": "x"}):
        reply = await shop.call("sadadapi/verify", {}, **headers)
        assert (reply.status_code, await shop.code(reply)) == (401, "UNAUTHORIZED")
    assert await shop.code(await shop.call("moamalat/confirm", {})) == "INVALID_GATEWAY"
    assert await shop.code(await shop.call("mpgs/verify", {})) == "INVALID_GATEWAY"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mobile_number": ""}, "EMPTY_MOBILE_NUMBER"),
        ({"mobile_number": "0923632323"}, "INVALID_MOBILE_NUMBER"),
        ({"mobile_number": "913632323"}, "INVALID_MOBILE_NUMBER"),
        ({"birth_year": ""}, "EMPTY_BIRTH_YEAR"),
        ({"birth_year": "1990"}, "INVALID_MOBILE_NUMBER_OR_BIRTH_YEAR"),
        ({"amount": "25.505"}, "INVALID_AMOUNT"),
        ({"amount": "0.00"}, "INVALID_AMOUNT"),
        ({"mobile_number": "0910000001"}, "NOT_SUBSCRIBED"),
        ({"mobile_number": "0910000002"}, "PHONE_NUMBER_IS_LOCKED"),
        ({"mobile_number": "0910000003"}, "CHECK_BANK_ACCOUNT"),
    ],
    ids=str,
)
async def test_a_code_is_refused_with_the_vendor_s_own_words(
    shop: Shop, change: dict[str, str], code: str
) -> None:
    reply = await shop.verify(**change)
    assert (reply.status_code, await shop.code(reply)) == (400, code)


async def test_another_code_waits_a_minute(shop: Shop) -> None:
    first = process_of(await shop.verify())
    assert await shop.code(await shop.verify()) == "OTP_WAIT_BEFORE_RESNED"
    shop.clock.turn(timedelta(seconds=60))
    assert process_of(await shop.verify()) != first


async def test_a_code_charges_once_and_an_invoice_number_is_taken_once(shop: Shop) -> None:
    process_id = process_of(await shop.verify())
    wrong = await shop.confirm(process_id=process_id, code="222222")
    assert await shop.code(wrong) == "INVLIAD_OTP"
    again = await shop.confirm(process_id=process_id)
    assert await shop.code(again) == "DUPLICATED_INVOICE_NUMBER"
    paid = await shop.confirm(process_id=process_id, invoice_no="ORD-2")
    assert paid.json()["result"]["amount"] == 25.5
    used = await shop.confirm(process_id=process_id, invoice_no="ORD-3")
    assert await shop.code(used) == "REFERENCE_NUMBER_DOES_NOT_EXIST"
    rows = (await shop.http.get("/transactions")).json()
    assert [(row["invoice_no"], row["outcome"]) for row in rows] == [("ORD-2", "paid")]


async def test_a_code_runs_out_and_is_of_its_amount_and_gateway(shop: Shop) -> None:
    process_id = process_of(await shop.verify())
    other = await shop.confirm(process_id=process_id, amount="25.51")
    assert await shop.code(other) == "INVALID_INVOICE_AMOUNT_OR_NUMBER"
    elsewhere = await shop.confirm("edfali", process_id=process_id, code="1111", invoice_no="a")
    assert await shop.code(elsewhere) == "REFERENCE_NUMBER_DOES_NOT_EXIST"
    shop.clock.turn(timedelta(minutes=5))
    late = await shop.confirm(process_id=process_id, invoice_no="b")
    assert await shop.code(late) == "OTP_EXPIRED"


async def test_who_has_no_money_gets_a_code_all_the_same(shop: Shop) -> None:
    sent = await shop.verify("edfali", mobile_number="0910000051")
    reply = await shop.confirm("edfali", process_id=process_of(sent), code="1111")
    assert await shop.code(reply) == "INSUFFICIENT_BALANCE"


async def test_wrong_inputs_are_named_in_either_form(shop: Shop) -> None:
    vendors = await shop.confirm(code="1", process_id="x", invoice_no="a b", amount="x")
    assert (vendors.status_code, await shop.code(vendors)) == (422, "INVALID_INPUTS")
    names = {"code", "process_id", "invoice_no", "amount"}
    assert set(vendors.json()["error"]["fields"]) == names
    switched = {"framework_errors": True, "refuses_private_callbacks": True}
    await shop.http.put("/switches", json=switched)
    form = {
        "amount": "1.00",
        "invoice_no": "c",
        "return_url": "x",
        "callback_url": "http://127.0.0.1/x",
    }
    frameworks = (await shop.call("tlync/confirm", form)).json()
    assert set(frameworks["errors"]) == {"return_url", "callback_url", "mobile_number"}


# Pages.


@pytest.mark.parametrize(
    ("gateway", "form", "said"),
    [
        ("localbankcards", {"do": "pay", "card": "6394 9930 7726 0781"}, "approved=1"),
        ("localbankcards", {"do": "pay", "card": "6394990000000051"}, ""),
        ("localbankcards", {"do": "cancel"}, "canceled=1"),
        ("mpgs", {"do": "pay", "card": "5123450000000008"}, "approved=1"),
        ("mpgs", {"do": "pay", "card": "1"}, ""),
        ("tlync", {"do": "pay", "wallet": "mobicash"}, "approved=1"),
        ("tlync", {"do": "pay", "wallet": "declined"}, "approved=0"),
        ("tlync", {"do": "cancel"}, "approved=0"),
    ],
    ids=str,
)
async def test_a_payer_acts_once_and_is_led_back_signed(
    shop: Shop, gateway: str, form: dict[str, str], said: str
) -> None:
    page = await shop.page(gateway)
    shown = await shop.http.get(page)
    assert shown.status_code == 200
    assert "25.50" in shown.text
    done = await shop.http.post(page, data=form)
    address = done.headers["X-Simulated-Return"]
    assert address.replace("&", "&amp;") in done.text
    assert ('http-equiv="refresh"' in done.text) is (gateway != "tlync")
    fields = parse_qsl(urlsplit(address).query)
    assert fields[0] == ("order", "17")
    assert fields[-1] == ("hashed", sign(KEY, fields[1:-1]))
    assert said in address
    again = await shop.http.post(page, data={"do": "pay"})
    assert again.headers["X-Simulated-Return"] == address
    assert (await shop.http.get(page)).headers["X-Simulated-Return"] == address
    await shop.simulator.settle()
    assert len(shop.told) == (1 if gateway == "tlync" and form["do"] == "pay" else 0)


async def test_a_wrong_code_of_a_card_may_be_followed_by_the_right_one(shop: Shop) -> None:
    page = await shop.page("localbankcards")
    card = {"do": "pay", "card": "6394993077260781"}
    wrong = await shop.http.post(page, data={**card, "code": "1"})
    assert "X-Simulated-Return" not in wrong.headers
    assert 'role="alert"' in wrong.text
    right = await shop.http.post(page, data={**card, "code": "111111"})
    assert "approved=1" in right.headers["X-Simulated-Return"]


@pytest.mark.parametrize("language", ["ar", "en"])
async def test_pages_speak_both_languages_and_load_nothing_from_elsewhere(
    shop: Shop, language: str
) -> None:
    page = await shop.page("localbankcards", lang=language)
    direction = {"ar": "rtl", "en": "ltr"}[language]
    for address in (page, f"{DATA}?lang={language}"):
        shown = await shop.http.get(address)
        assert f'lang="{language}" dir="{direction}"' in shown.text
        policy = shown.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert re.findall(r'(?:src|href)="(https?:)', shown.text) == []
    assert (await shop.http.get("/static/page.css")).headers["Content-Type"].startswith("text/css")
    assert (await shop.http.get("/pay/nobody")).status_code == 404


async def test_the_test_data_stand_on_a_page(shop: Shop) -> None:
    text = (await shop.http.get(f"{DATA}?lang=en")).text
    for shown in ("0913632323", "1991", "111111", "1111", "5123450000000008", "NOT_SUBSCRIBED"):
        assert shown in text


# Faults.


async def test_callbacks_come_twice_late_never_or_in_another_order(shop: Shop) -> None:
    async def pay(invoice: str) -> None:
        await shop.http.post(
            await shop.page("tlync", invoice_no=invoice), data={"do": "pay", "wallet": "sadad"}
        )
        await shop.simulator.settle()

    await shop.faults(callback="twice", callback_delay_seconds=3)
    await pay("A")
    assert [body["invoice_no"] for body in shop.told] == ["A", "A"]
    assert shop.slept == [3, 3]
    await shop.faults(callback="never")
    await pay("B")
    await shop.faults(reorder_callbacks=True)
    await pay("C")
    assert len(shop.told) == 2
    await pay("D")
    assert [body["invoice_no"] for body in shop.told] == ["A", "A", "D", "C"]
    await pay("E")
    await shop.faults()
    await shop.simulator.settle()
    assert shop.told[-1]["invoice_no"] == "E"


async def test_what_is_told_may_be_forged_or_unsigned_or_of_another_amount(shop: Shop) -> None:
    async def told(**faults: object) -> dict[str, Any]:
        await shop.faults(**faults)
        page = await shop.page("tlync", invoice_no=f"ORD-{len(shop.told)}")
        await shop.http.post(page, data={"do": "pay", "wallet": "sadad"})
        await shop.simulator.settle()
        return shop.told[-1]

    assert (await told(hash="forged"))["hashed"] == "F" * 64
    assert "hashed" not in await told(hash="missing")
    lie = await told(amount="1.00")
    assert lie["hashed"] == sign(KEY, [(k, v) for k, v in lie.items() if k != "hashed"])
    assert lie["amount"] == "1.00"
    numbers = await told(numbers=True)
    assert (numbers["amount"], numbers["approved"]) == (25.5, 1)


async def test_calls_err_on_request(shop: Shop) -> None:
    await shop.faults(is_down=True)
    assert (await shop.verify()).status_code == 503
    await shop.faults(refuse="TOO_MAY_REQUESTS")
    assert (await shop.verify()).status_code == 429
    await shop.faults(redirects=True)
    assert (await shop.verify(amount="1.00")).status_code == 302
    await shop.faults(is_huge=True, delay_seconds=2)
    assert len((await shop.verify(amount="2.00")).content) > 1_000_000
    assert shop.slept == [2]
    await shop.faults(body="{", status=201)
    reply = await shop.verify(amount="3.00")
    assert (reply.status_code, reply.text) == (201, "{")
    await shop.faults(status=500)
    assert "unavailable" in (await shop.verify(amount="4.00")).text
    await shop.faults(decline="PHONE_NUMBER_IS_LOCKED")
    process_id = process_of(await shop.verify(amount="5.00"))
    locked = await shop.confirm(process_id=process_id, amount="5.00")
    assert await shop.code(locked) == "PHONE_NUMBER_IS_LOCKED"
    await shop.faults(confirm_fails="before")
    before = await shop.confirm(process_id=process_id, amount="5.00", invoice_no="x")
    assert before.status_code == 500
    assert list(shop.simulator.transactions) == []
    await shop.faults(confirm_fails="after")
    after = await shop.confirm(process_id=process_id, amount="5.00", invoice_no="y")
    assert after.status_code == 504
    assert len(shop.simulator.transactions) == 1


async def test_an_unknown_fault_is_refused(shop: Shop) -> None:
    for body in ('{"x": 1}', "{", "[]", '{"status": "x"}'):
        assert (await shop.http.put("/faults", content=body)).status_code == 422
    assert (await shop.http.get("/faults")).json()["callback"] == "once"
    assert (await shop.http.get("/switches")).json()["code_seconds"] == 300


async def test_dollars_have_an_order_of_fields_of_their_own(shop: Shop) -> None:
    page = await shop.page("mpgs")
    await shop.faults(currency="EUR")
    done = await shop.http.post(page, data={"do": "pay", "card": "5123450000000008"})
    fields = parse_qsl(urlsplit(done.headers["X-Simulated-Return"]).query)
    names = [name for name, _ in fields]
    assert names == [
        "order",
        "gateway",
        "approved",
        "amount",
        "currency",
        "invoice_no",
        "transaction_id",
        "hashed",
    ]
    assert ("currency", "EUR") in fields
    row = shop.simulator.transactions[-1]
    assert card_return(row)[3] == ("currency", "USD")
    assert with_query("https://x.example/a", [("b", "ع")]) == "https://x.example/a?b=%D8%B9"


async def test_it_is_among_the_simulators_and_shows_no_key() -> None:
    assert SIMULATORS["plutu"] is open_plutu
    fields = {"access_token": "token", "api_key": "key", "secret_key": KEY}
    door = open_plutu(fields, ManualClock(), Scripted())
    await door.settle()
    await door.aclose()
    shown = Account("token", "key", KEY)
    assert KEY not in f"{shown!r}{shown}{shown.__rich_repr__()}"
