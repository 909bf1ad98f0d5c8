"""The way back from a gateway's page: where it leads, and how long it waits on the way."""

import asyncio
import functools
import time
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Answer, Claim, Intent
from eishro.domain.stores import sql as stores
from eishro.jobs.ask_gateways import check_due_payments
from eishro.web import asking
from tests.dummy_provider import DummyProvider
from tests.shops import World, bearer, changed, order_body

pytestmark = pytest.mark.anyio

SHOP = "https://shop.example.ly"
OTHERS = [
    "https://evil.example/",
    "https://shop.example.ly.evil.example/thanks",
    "https://www.shop.example.ly/thanks",
    "https://shop.example.ly:8443/thanks",
    "http://shop.example.ly/thanks",
    "http://127.0.0.1:3000/thanks",
    "http://localhost/",
    "https://[::1",
    "https://[::1]/",
    "https://shop.example.ly:x/",
    "https://:443/",
]
# What is not even an address that may stand there.
STRANGE = [
    "https://shop.example.ly@evil.example/",
    "https://evil.example\\@shop.example.ly/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "https://shop.example.ly\r\nX: y/",
    "https:///evil.example",
]


class Browser:
    """A guest with an order of a store that names `SHOP`."""

    def __init__(self, world: World, store: int, client: httpx.AsyncClient, order: str) -> None:
        self.world = world
        self.store = store
        self.client = client
        self.order = order

    async def begin(self, return_url: str | None = None) -> httpx.Response:
        """The answer to a wish to pay."""
        body: dict[str, Any] = {"method": "moamalat"}
        if return_url is not None:
            body["returnUrl"] = return_url
        return await self.client.post(f"/api/orders/{self.order}/payments", json=body)

    async def payment(self, return_url: str | None = None) -> Payment:
        """A payment begun."""
        begun = await self.begin(return_url)
        assert begun.status_code == 201, begun.text
        return await payments.get_payment(self.world.db, begun.json()["data"]["id"])

    async def come_back(self, payment: Payment, **headers: str) -> httpx.Response:
        """From the gateway's page."""
        return await self.client.get(f"/api/payments/{payment.reference}/return", headers=headers)


async def _browser(world: World, **settings: Any) -> Browser:
    settings.setdefault("return_url", f"{SHOP}/thanks")
    merchant = await world.merchant(**settings)
    assert merchant.store is not None
    store = merchant.store.id
    state = await world.product(store, stock=3, price=25_500)
    client = world.client()
    placed = await client.post(f"/api/stores/{store}/orders", json=order_body(state.product.id))
    data = placed.json()["data"]
    client.headers["X-Order-Token"] = data["accessToken"]
    return Browser(world, store, client, data["id"])


class Returning(DummyProvider):
    """Has a page to come back from, and never answers a question while `is_silent`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_silent = False

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        kind: Any = query.get("kind", "sale")
        return Claim(authentic="unsigned", reference=intent.reference, dedupe_key="", kind=kind)

    async def query(self, intent: Intent) -> Answer:
        answer = await super().query(intent)
        while self.is_silent:
            await asyncio.sleep(0.005)
        return answer


def _with(world: World, provider: DummyProvider, **rules: Any) -> None:
    world.shop = changed(
        world.shop,
        providers={**world.shop.providers, provider.name: provider},
        rules=msgspec.structs.replace(world.shop.rules, **rules),
    )


# Where to.


async def test_a_payer_is_led_back_to_a_site_that_the_store_names(world: World) -> None:
    _with(world, Returning())
    browser = await _browser(world, return_origins=("https://www.example.ly", "https://b.ly:8443"))
    for address in (
        f"{SHOP}/orders/7?a=1",
        "https://SHOP.example.ly:443/thanks",
        "https://www.example.ly/",
        "https://b.ly:8443/x",
        "http://shop.test/thanks",  # this server's own, whatever it is reached by
    ):
        back = await browser.come_back(await browser.payment(address))
        assert (back.status_code, back.headers["Location"]) == (303, address)
    default = await browser.come_back(await browser.payment())
    assert default.headers["Location"] == f"{SHOP}/thanks"


@pytest.mark.parametrize("address", [*OTHERS, *STRANGE])
async def test_nobody_begins_a_payment_that_leads_elsewhere(world: World, address: str) -> None:
    browser = await _browser(world)
    refused = await browser.begin(address)
    assert refused.status_code == 422
    told = refused.json()["error"]["details"]["returnUrl"]
    if address in OTHERS:
        assert SHOP in told
        assert "http://shop.test" in told
        assert "settings.returnOrigins" in told
    attempts = await payments.list_payments_of_order(world.db, browser.store, browser.order)
    assert attempts == []
    assert (await browser.begin(f"{SHOP}/thanks")).status_code == 201


async def test_another_store_s_site_is_nobody_s_here(world: World) -> None:
    await world.merchant(return_url="https://other.example.ly/")
    browser = await _browser(world)
    assert (await browser.begin("https://other.example.ly/")).status_code == 422


async def test_storefronts_of_the_platform_are_every_store_s_and_not_told(world: World) -> None:
    _with(world, Returning(), storefronts=("https://market.ly",))
    browser = await _browser(world, return_url=None)
    assert (await browser.begin("https://market.ly/thanks")).status_code == 201
    refused = await browser.begin("https://evil.example/")
    assert "market.ly" not in refused.text


async def test_a_developer_s_own_machine_does_in_development_alone(world: World) -> None:
    browser = await _browser(world)
    near = ["http://localhost:3000/thanks", "http://127.0.0.1/", "http://[::1]:5173/"]
    for address in near:
        assert (await browser.begin(address)).status_code == 422
    _with(world, Returning(), is_development=True)
    browser = await _browser(world)
    for address in near:
        assert (await browser.begin(address)).status_code == 201
    for address in ("http://localhost.evil.example/", "http://10.0.0.1/", "https://localhost/"):
        assert (await browser.begin(address)).status_code == 422


async def test_an_address_whose_site_is_not_named_any_more_is_not_followed(world: World) -> None:
    _with(world, Returning())
    browser = await _browser(world)
    payment = await browser.payment(f"{SHOP}/thanks")
    page = await browser.client.get(f"/pay/{payment.id}")
    assert f"{SHOP}/thanks" in page.text
    browser.client.cookies.clear()
    before = await stores.get_store(world.db, browser.store)
    settings = msgspec.structs.replace(before.settings_value(), return_url=None)
    after = msgspec.structs.replace(before, settings=msgspec.Raw(msgspec.json.encode(settings)))
    await world.db.commit(Batch(stores.save_store(after, seen=before)))
    assert (await browser.come_back(payment)).status_code == 200  # a page that says thank you
    assert SHOP not in (await browser.client.get(f"/pay/{payment.id}")).text
    assert (await browser.begin(f"{SHOP}/thanks")).status_code == 422


async def test_a_store_s_old_address_without_https_is_left_out(world: World) -> None:
    _with(world, Returning())
    browser = await _browser(world)
    before = await stores.get_store(world.db, browser.store)
    old = msgspec.structs.replace(before.settings_value(), return_url="http://old.example.ly/")
    after = msgspec.structs.replace(before, settings=msgspec.Raw(msgspec.json.encode(old)))
    await world.db.commit(Batch(stores.save_store(after, seen=before)))
    assert (await browser.payment()).return_url is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"returnUrl": "http://shop.example.ly/"}, "settings.returnUrl"),
        ({"returnUrl": "https://[::1"}, "settings.returnUrl"),
        ({"returnOrigins": ["https://a.ly", "http://a.ly"]}, "settings.returnOrigins[1]"),
        ({"returnOrigins": ["https://a.ly/"]}, "settings.returnOrigins[0]"),
        ({"returnOrigins": ["https://u@a.ly"]}, "settings.returnOrigins[0]"),
        ({"returnOrigins": ["https://*.a.ly"]}, "settings.returnOrigins[0]"),
        ({"returnOrigins": ["a.ly"]}, "settings.returnOrigins[0]"),
        ({"returnOrigins": ["*"]}, "settings.returnOrigins[0]"),
        ({"returnOrigins": [f"https://{n}.ly" for n in range(11)]}, "settings.returnOrigins"),
    ],
)
async def test_a_store_names_whole_safe_sites(
    world: World, settings: dict[str, Any], named: str
) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    client = world.client(**bearer(merchant))
    path = f"/api/stores/{merchant.store.id}"
    refused = await client.put(path, json={"settings": settings})
    assert refused.status_code == 422
    assert list(refused.json()["error"]["details"]) == [named]
    good = {"returnUrl": "/thanks", "returnOrigins": ["https://a.ly", "https://b.ly:8443"]}
    kept = await client.put(path, json={"settings": good})
    assert kept.json()["data"]["settings"]["returnOrigins"] == good["returnOrigins"]


@pytest.mark.parametrize(
    ("settings", "site"),
    [
        ({"return_url": None, "return_origins": ("https://a.ly", "https://b.ly")}, "https://a.ly"),
        ({"return_url": "https://c.ly:8443/done"}, "https://c.ly:8443"),
        ({"return_url": "https://c.ly/done", "return_origins": ("https://a.ly",)}, "https://a.ly"),
        ({"return_url": "/done"}, None),
        ({"return_url": None}, None),
    ],
)
async def test_a_path_leads_to_the_store_s_own_site_where_it_names_one(
    world: World, settings: dict[str, Any], site: str | None
) -> None:
    _with(world, Returning())
    browser = await _browser(world, **settings)
    payment = await browser.payment("/thanks?order=7")
    page = await browser.client.get(f"/pay/{payment.id}", params={"lang": "en"})
    back = await browser.come_back(payment)
    if site is None:
        assert 'id="back"' not in page.text
        assert "You can close this page and go back to the shop." in page.text
        assert back.headers["Location"] == "/thanks?order=7"
    else:
        assert f'id="back" class="secondary" href="{site}/thanks?order=7"' in page.text
        assert back.headers["Location"] == f"{site}/thanks?order=7"


# How long.


async def test_a_gateway_that_never_answers_keeps_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    gateway = Returning()
    _with(world, gateway)
    browser = await _browser(world)
    payment = await browser.payment()
    gateway.pay(payment.reference, payment.amount_dirhams)
    gateway.is_silent = True
    began = time.monotonic()
    cookie = f"eishro_payment={payment.id}"
    back = await browser.come_back(payment, Cookie=cookie)
    assert time.monotonic() - began < 4
    assert back.headers["Location"] == f"http://shop.test/pay/{payment.id}"
    page = await browser.client.get(back.headers["Location"])
    assert 'data-phase="processing"' in page.text  # checked still, and its script asks again
    assert (await browser.client.get(f"/api/payments/{payment.id}")).json()["data"][
        "status"
    ] == "processing"
    gateway.is_silent = False
    await world.settle()
    paid = await browser.client.get(f"/api/payments/{payment.id}")
    assert paid.json()["data"]["status"] == "paid"
    assert await find_faults(world.db) == []


async def test_a_process_holds_only_so_many_questions_for_browsers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(asking, "QUESTIONS_MAX", 3)
    gateway = Returning()
    _with(world, gateway)
    browser = await _browser(world)
    payment = await browser.payment()
    gateway.is_silent = True
    backs = await asyncio.gather(*(browser.come_back(payment) for _ in range(10)))
    assert {back.status_code for back in backs} == {303}
    assert len(gateway.asked) == 3
    # Also those who report by the page's script; and what was told is asked about by the clock.
    told = await browser.client.post(f"/api/payments/{payment.id}/result", json={"done": True})
    assert told.json()["data"]["status"] == "processing"
    assert len(gateway.asked) == 3
    gateway.is_silent = False
    await world.settle()
    gateway.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(timedelta(seconds=2))
    await check_due_payments(world.shop)
    assert (await payments.get_payment(world.db, payment.id)).status == "paid"
    # Answered questions leave room for others.
    await browser.come_back(payment)
    assert len(gateway.asked) > 3


async def test_a_silent_gateway_leaves_room_for_questions_to_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(asking, "QUESTIONS_OF_ONE_MAX", 2)
    browser = await _browser(world)
    payment = await browser.payment()
    elsewhere = msgspec.structs.replace(payment, provider="another")
    call: Any = SimpleNamespace(door=world.door(), shop=world.shop)
    may_answer = asyncio.Event()
    asked: list[str] = []

    async def ask(name: str) -> str:
        asked.append(name)
        await may_answer.wait()
        return name

    for name in ("first", "second", "third"):
        assert await asking.in_time(call, payment, functools.partial(ask, name)) is None
    assert await asking.in_time(call, elsewhere, functools.partial(ask, "other")) is None
    assert asked == ["first", "second", "other"]
    may_answer.set()
    await world.settle()
    assert await asking.in_time(call, payment, functools.partial(ask, "third")) == "third"


async def test_a_cancel_on_the_gateway_s_page_asks_nobody(world: World) -> None:
    gateway = Returning()
    _with(world, gateway)
    browser = await _browser(world)
    payment = await browser.payment()
    await browser.client.get(f"/api/payments/{payment.reference}/return?kind=cancelled")
    assert gateway.asked == []
