"""The simulator's lightbox and card form: no foreign script, and a payer with a phone gets by."""

import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

import falcon.asgi
import pytest
from playwright.async_api import Frame, Page, async_playwright, expect

from eishro.sandbox.moamalat import OTP
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, POOR_CARD, Gateway
from tests.sandbox.moamalat_client import Client, open_client, parameters

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client() as opened:
        yield opened


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
