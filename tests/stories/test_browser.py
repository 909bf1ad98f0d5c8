"""Paying in a real browser: the hosted page, the gateway's window, the shop's verdict.

Debian's chromium, driven by Playwright; a phone's viewport unless a test says otherwise.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FilePayload,
    FrameLocator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.stories.people import (
    DECLINED_CARD,
    GOOD_CARD,
    GOOD_EXPIRY,
    OTP,
    Basket,
    Story,
    events_of,
)
from tests.transferring import IBAN, PNG

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("the browser tests need chromium: apt-get install chromium fonts-noto-core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A phone's page that must not complain: no policy broken, no error in its console."""
    context = browser.new_context(viewport=PHONE, locale="ar-LY")
    context.set_default_timeout(15_000)
    page = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.screenshot(path=tmp_path / f"{request.node.originalname}.png", full_page=True)
    context.close()
    assert complaints == []


def gateway(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def give_card(page: Page, card: str, otp: str = OTP) -> None:
    """Fill in the gateway's form, as it stands in its window."""
    window = gateway(page)
    window.locator("#pan").fill(card)
    window.locator("#expiry").fill(GOOD_EXPIRY)
    window.locator("#card button[type=submit]").click()
    window.locator("#otp").fill(otp)
    window.locator("#pay").click()


def open_page(
    story: Story, page: Page, query: str = "", **members: Any
) -> tuple[Basket, dict[str, Any]]:
    basket = story.order(story.product())
    payment = story.start_payment(basket, **members)
    page.goto(payment["action"]["pageUrl"] + query)
    return basket, payment


def expect_phase(page: Page, phase: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-phase", phase)


def test_a_buyer_pays_on_the_arabic_page(story: Story, page: Page) -> None:
    basket, payment = open_page(story, page)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator(".amount")).to_contain_text("35.500")
    page.locator("#pay").click()
    give_card(page, GOOD_CARD)
    expect_phase(page, "paid")
    expect(page.locator("#headline")).to_have_text("تم الدفع بنجاح")
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("#action")).to_be_hidden()
    order = story.wait_until_paid(basket)
    assert order["status"] == "confirmed"
    assert story.payment(payment)["status"] == "paid"


def test_a_buyer_pays_on_the_english_page_of_a_wide_screen(story: Story, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    basket, _ = open_page(story, page, "?lang=en", returnUrl=f"{story.shop_url}/thanks")
    expect(page.locator("html")).to_have_attribute("dir", "ltr")
    page.get_by_role("button", name="Pay").click()
    give_card(page, GOOD_CARD)
    expect(page.locator("#headline")).to_have_text("Payment received")
    expect(page.locator("#back")).to_have_attribute("href", f"{story.shop_url}/thanks")
    story.wait_until_paid(basket)


def test_a_declined_card_is_told_and_another_try_pays(story: Story, page: Page) -> None:
    basket, _ = open_page(story, page)
    page.locator("#pay").click()
    give_card(page, DECLINED_CARD)
    expect_phase(page, "failed")
    gateway(page).locator("#cancel").click()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("#headline")).to_have_text("لم تتم عملية الدفع")
    expect(page.locator("#pay")).to_have_text("حاول مرة أخرى")
    page.locator("#pay").click()
    give_card(page, GOOD_CARD)
    expect_phase(page, "paid")
    order = story.wait_until_paid(basket)
    assert events_of(order).count("payment.failed") == 1


def test_a_failed_payment_opened_anew_still_offers_another_try(story: Story, page: Page) -> None:
    basket, payment = open_page(story, page)
    story.report(payment, story.pay(payment, DECLINED_CARD))
    page.goto(payment["action"]["pageUrl"] + "?lang=en")
    expect_phase(page, "failed")
    page.get_by_role("button", name="Try again").click()
    give_card(page, GOOD_CARD)
    expect_phase(page, "paid")
    story.wait_until_paid(basket)


def test_a_window_that_was_closed_opens_again(story: Story, page: Page) -> None:
    basket, _ = open_page(story, page)
    page.locator("#pay").click()
    gateway(page).locator("#cancel").click()
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("#notice")).to_contain_text("أُغلقت نافذة الدفع")
    assert story.read(basket)["paymentStatus"] == "pending"
    page.locator("#pay").click()
    give_card(page, GOOD_CARD)
    expect_phase(page, "paid")
    story.wait_until_paid(basket)


def test_a_wrong_code_charges_nothing(story: Story, page: Page) -> None:
    basket, _ = open_page(story, page)
    page.locator("#pay").click()
    give_card(page, GOOD_CARD, otp="000000")
    expect(gateway(page).locator("[role=alert]")).to_contain_text("Authentication Failed")
    assert story.read(basket)["paymentStatus"] == "pending"


def test_a_slow_gateway_is_waited_for(story: Story, page: Page) -> None:
    story.gateway_does(filter_not_found_times=2, notify="never")
    basket, _ = open_page(story, page)
    page.locator("#pay").click()
    give_card(page, GOOD_CARD)
    expect_phase(page, "processing")
    expect(page.locator("#action")).to_be_hidden()
    expect(page.locator("#state")).to_have_attribute("data-phase", "paid", timeout=15_000)
    story.wait_until_paid(basket)


def test_nothing_on_the_page_is_wider_than_a_small_phone(story: Story, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    open_page(story, page)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.locator("#pay").click()
    expect(gateway(page).locator("#pan")).to_be_visible()
    assert page.evaluate(overflow) == 0


def test_a_buyer_leaves_for_a_gateway_s_own_page_and_is_led_back(story: Story, page: Page) -> None:
    if not story.gateway_url.startswith(story.shop_url):
        return  # only `eishro dev` stands beside this gateway's simulator
    basket = story.order(story.product())
    payment = story.start_payment(basket, method="plutu_cards")
    page.goto(f"{story.shop_url}/pay/{payment['id']}")
    page.locator("#go").click()
    # The page speaks the language that the payment was begun in.
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator("button[value=pay]").click()
    page.wait_for_url(f"{story.shop_url}/pay/{payment['id']}")  # by itself
    expect_phase(page, "paid")
    story.wait_until_paid(basket)


def test_a_buyer_pays_with_the_code_of_a_wallet(story: Story, page: Page) -> None:
    if not story.gateway_url.startswith(story.shop_url):
        return  # as above
    basket = story.order(story.product())
    payment = story.start_payment(basket, method="edfali", phone="0910000010")
    page.goto(f"{story.shop_url}/pay/{payment['id']}?lang=en")
    expect(page.locator("#resend")).to_be_disabled()
    expect(page.locator("#lives")).to_contain_text("can be used for")
    # A slip is corrected before anything is sent; the code itself may have any digits.
    page.get_by_label("One-time code").fill("11")
    page.keyboard.press("Enter")
    expect(page.locator("#code-error")).to_have_text("Please enter the whole code.")
    page.get_by_label("One-time code").fill("١١١١")
    page.get_by_role("button", name="Confirm payment").dblclick()
    expect_phase(page, "paid")
    page.reload()
    expect_phase(page, "paid")
    story.wait_until_paid(basket)


def test_a_buyer_who_gives_up_at_a_gateway_is_back_in_the_chosen_language_and_pays_anew(
    story: Story, page: Page
) -> None:
    if not story.gateway_url.startswith(story.shop_url):
        return  # as above
    basket = story.order(story.product())
    payment = story.start_payment(
        basket, method="plutu_cards", returnUrl=f"{story.shop_url}/orders"
    )
    page.goto(f"{story.shop_url}/pay/{payment['id']}?lang=en")
    page.locator("#go").click()
    page.locator("button[value=cancel]").click()
    page.wait_for_url(f"{story.shop_url}/pay/{payment['id']}?lang=en")
    expect_phase(page, "failed")
    expect(page.locator("#go")).to_be_hidden()
    expect(page.locator("#back")).to_have_attribute("href", f"{story.shop_url}/orders")
    payment = story.start_payment(basket, method="plutu_cards")
    page.goto(f"{story.shop_url}/pay/{payment['id']}?lang=en")
    page.locator("#go").click()
    page.locator("button[value=pay]").click()
    expect_phase(page, "paid")
    story.wait_until_paid(basket)


def test_a_buyer_transfers_the_money_and_shows_the_receipt(story: Story, page: Page) -> None:
    store, merchant = story.open_store()
    account = {"beneficiary": "شركة الواحة", "bank": "wb", "iban": IBAN}
    settings = {"settings": {"transferAccount": account}}
    at = f"/api/stores/{store['id']}"
    assert story.client.put(at, json=settings, headers=merchant).status_code == 200
    basket = story.order(story.add_product(store, merchant))
    payment = story.start_payment(basket, method="bank_transfer")
    page.goto(f"{story.shop_url}/pay/{payment['id']}?lang=en")
    expect(page.locator(".facts")).to_contain_text("LY83 0020 4800 0020 1001 2036 1")
    page.get_by_label("Name of the sender").fill("فاطمة علي")
    page.get_by_label("Bank of the sender").fill("NCB")
    page.get_by_label("Number of the transfer").fill("FT-26001")
    picture: FilePayload = {"name": "receipt.png", "mimeType": "image/png", "buffer": PNG}
    page.get_by_label("Picture of the receipt").set_input_files(picture)
    page.get_by_role("button", name="Send the proof").dblclick()
    expect_phase(page, "processing")
    expect(page.locator("#headline")).to_have_text("The shop is checking your transfer")
    page.reload()
    expect_phase(page, "processing")
    seen = {"amount": payment["amount"], "bankReference": "FT-26001"}
    story.post(f"{at}/payments/{payment['id']}/verify", seen, merchant)
    story.wait_until_paid(basket)
    page.reload()
    expect_phase(page, "paid")


def test_a_buyer_whose_card_was_refused_pays_with_a_wallet_and_never_twice(
    story: Story, page: Page
) -> None:
    basket, card = open_page(story, page, "?lang=en", returnUrl=f"{story.shop_url}/orders")
    page.locator("#pay").click()
    give_card(page, DECLINED_CARD)
    expect_phase(page, "failed")
    gateway(page).locator("#cancel").click()
    expect(page.locator("iframe")).to_have_count(0)
    page.locator("#again").click()
    expect(page.get_by_role("radio", name="Local bank card (Moamalat)")).to_be_checked()
    if not story.gateway_url.startswith(story.shop_url):
        page.get_by_role("button", name="Continue").click()
        page.locator("#pay").click()
        give_card(page, GOOD_CARD)
    else:
        page.get_by_role("radio", name="Edfali", exact=True).check()
        page.get_by_label("Phone of the wallet").fill("0910000010")
        page.get_by_role("button", name="Continue").dblclick()
        page.get_by_label("One-time code").fill("1111")
        page.get_by_role("button", name="Confirm payment").click()
    expect_phase(page, "paid")
    expect(page.locator("#back")).to_have_attribute("href", f"{story.shop_url}/orders")
    story.wait_until_paid(basket)
    # The card's page, opened once more, charges nothing.
    page.goto(f"{story.shop_url}/pay/{card['id']}?lang=en")
    expect_phase(page, "cancelled")
    expect(page.locator("#pay, #again")).to_have_count(0)
    assert story.payment(card)["action"] is None


def test_a_buyer_whose_card_was_refused_pays_in_cash(story: Story, page: Page) -> None:
    basket, payment = open_page(story, page)
    story.report(payment, story.pay(payment, DECLINED_CARD))
    page.goto(payment["action"]["pageUrl"] + "?lang=ar")
    page.locator("#again").click()
    page.get_by_role("radio", name="الدفع عند الاستلام").check()
    page.get_by_role("button", name="متابعة").click()
    expect_phase(page, "ready_offline")
    expect(page.locator(".instructions")).to_have_text(
        "ادفع 35.500 دينار ليبي نقدا لمندوب التوصيل."
    )
    page.get_by_role("link", name="English").click()
    expect(page.locator(".instructions")).to_have_text(
        "Pay 35.500 Libyan dinars in cash to the courier."
    )
    assert story.read(basket)["payment"]["method"] == "cod"
