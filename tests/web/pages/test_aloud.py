"""What a screen reader is given of the hosted page to say: found with Orca, held here by what it
reads: names, descriptions and live regions.
"""

import pytest
from playwright.sync_api import Page, expect

from eishro.domain.payments.port import Otp
from tests.web.pages.kinds import KINDS, Kind, set_out
from tests.web.pages.playground import Playground
from tests.web.pages.test_pages_in_browser import (
    browser,
    expect_phase,
    in_box,
    page,
    pass_time,
    pass_time_until,
    place,
)
from tests.web.pages.test_pay_page_actions import code_of, fill_proof

__all__ = ["browser", "page", "place"]

# Keeps every text that a place comes to hold.
LISTEN = """id => {
  const place = document.getElementById(id);
  window.heard = [];
  new MutationObserver(() => heard.push(place.textContent)).observe(place, {
    childList: true, characterData: true, subtree: true,
  });
}"""


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            [
                "The code can be used for one more minute.",
                "The code has run out; ask for a new one.",
            ],
        ),
        ("ar", ["بقيت دقيقة واحدة لاستخدام الرمز.", "انتهت صلاحية الرمز؛ اطلب رمزا جديدا."]),
    ],
)
def test_the_clock_of_a_code_is_seen_every_second_and_told_twice(
    page: Page, place: Playground, language: str, told: list[str]
) -> None:
    place.action = code_of(120, 300)
    page.goto(f"{place.page}?lang={language}")
    code = page.locator("#code")
    code.focus()
    page.evaluate(LISTEN, "said")
    seen = page.locator("#lives").inner_text()
    page.clock.run_for(20_000)
    assert page.locator("#lives").inner_text() != seen
    expect(code).to_have_accessible_description("")
    page.clock.run_for(105_000)
    expect(page.locator("#said")).to_have_role("status")
    assert page.evaluate("heard") == told


def test_who_is_taken_to_the_result_hears_it_once_and_whole(page: Page, place: Playground) -> None:
    place.action = Otp(4, "091****678")
    page.goto(f"{place.page}?lang=en")
    state = page.locator("#state")
    page.locator("#code").fill("1111")
    page.keyboard.press("Enter")
    expect_phase(page, "paid")
    expect(state).to_be_focused()
    expect(state).to_have_accessible_name("Payment received")
    expect(state).to_have_accessible_description("Thank you. Your order is paid.")
    expect(state).to_have_attribute("aria-live", "off")


def test_what_comes_after_that_is_news_again(page: Page, place: Playground) -> None:
    place.after_result = "action_required"
    page.goto(f"{place.page}?lang=en")
    state = page.locator("#state")
    expect(state).to_have_attribute("aria-live", "polite")
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "processing")
    for _ in range(4):
        pass_time(page, 15)
    expect(page.locator("#detail")).to_contain_text("longer than usual")
    expect(state).to_have_attribute("aria-live", "polite")
    page.get_by_role("link", name="العربية").focus()
    place.status = "paid"
    pass_time_until(page, "paid")
    expect(state).not_to_be_focused()
    expect(state).to_have_attribute("aria-live", "polite")


def test_who_is_elsewhere_on_the_page_hears_the_result_as_news(
    page: Page, place: Playground
) -> None:
    place.action = Otp(4, "091****678")
    page.goto(f"{place.page}?lang=en")
    page.get_by_role("link", name="العربية").focus()
    place.status = "paid"
    pass_time_until(page, "paid")
    expect(page.locator("#state")).not_to_be_focused()
    expect(page.locator("#state")).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize(
    ("language", "amount", "paying", "dollars"),
    [
        ("en", "25.500 Libyan dinars", "Pay 25.500 Libyan dinars", "5.32 US dollars"),
        ("ar", "25.500 دينار ليبي", "ادفع 25.500 دينار ليبي", "5.32 دولار أمريكي"),
    ],
)
def test_an_amount_is_told_with_the_name_of_its_currency(
    page: Page, place: Playground, language: str, amount: str, paying: str, dollars: str
) -> None:
    page.goto(f"{set_out(place, KINDS[0]).page}?lang={language}")
    button = page.locator("#pay")
    expect(page.locator("main")).to_match_aria_snapshot(f"- paragraph: {amount}")
    expect(button).to_have_accessible_name(paying)
    # It says so again when the window has been open and closed without a word.
    button.click()
    expect(page.locator("#gateway-frame")).to_have_count(1)
    page.evaluate("document.getElementById('gateway-frame').remove()")
    page.clock.run_for(5_000)
    expect(button).to_be_enabled()
    expect(button).to_have_accessible_name(paying)
    expect(button.locator(".unseen")).to_have_count(1)
    page.goto(f"{place.page}/again?lang={language}")
    expect(page.locator("main")).to_match_aria_snapshot(f"- paragraph: {amount}")
    expect(page.get_by_role("radio", name=dollars)).to_have_count(1)
    for kind in KINDS[3:]:
        page.goto(f"{set_out(place, kind).page}?lang={language}")
        expect(page.locator("#action")).to_contain_text(amount)


@pytest.mark.parametrize("address", ["", "/again"])
def test_the_shop_s_name_stands_apart_and_is_told_in_its_language(
    page: Page, place: Playground, address: str
) -> None:
    page.goto(f"{place.page}{address}?lang=en")
    heading = page.locator("h1")
    # Readers take the text as it stands, without what the style adds.
    assert heading.inner_text() == "Payment:\nمتجر النخلة"
    expect(heading.locator("bdi")).to_have_attribute("lang", "ar")
    page.goto(f"{place.page}{address}?lang=ar")
    assert heading.inner_text() == "الدفع:\nمتجر النخلة"
    place.store_name = "Al-Nakhla"
    page.goto(f"{place.page}{address}?lang=en")
    expect(heading.locator("bdi")).not_to_have_attribute("lang", "ar")


def test_the_beneficiary_is_told_in_their_language(page: Page, place: Playground) -> None:
    page.goto(f"{set_out(place, KINDS[3]).page}?lang=en")
    expect(page.locator(".facts [lang]")).to_have_text("شركة النخلة")
    expect(page.locator(".facts [lang]")).to_have_attribute("lang", "ar")


def test_a_fault_that_is_not_there_is_nothing_to_come_by(page: Page, place: Playground) -> None:
    page.goto(f"{set_out(place, KINDS[2]).page}?lang=en")
    # Hidden ones are not counted: a reader does not meet them.
    expect(page.locator("#otp").get_by_role("alert")).to_have_count(0)
    page.locator("#confirm").click()
    expect(page.locator("#otp").get_by_role("alert")).to_have_count(1)


def test_of_many_faults_the_first_is_told_and_by_its_name(page: Page, place: Playground) -> None:
    page.goto(f"{set_out(place, KINDS[3]).page}?lang=en")
    sender, bank = page.locator("#proof-senderName"), page.locator("#proof-bank")
    page.locator("#show-proof").press("Enter")
    # The focus tells it: nothing else does.
    expect(sender).to_be_focused()
    expect(sender).to_have_accessible_description("Please fill this in.")
    expect(bank).to_have_accessible_description("Please fill this in.")
    expect(page.locator("#said")).to_have_text("")
    expect(page.locator("#proof").get_by_role("alert")).to_have_count(0)
    sender.press("Enter")
    expect(page.locator("#said")).to_have_text("Name of the sender: Please fill this in.")
    fill_proof(page)
    place.proof_faults = {"bank": "is too short"}
    bank.press("Enter")
    expect(bank).to_be_focused()
    expect(page.locator("#said")).to_have_text("Bank of the sender: is too short")


@pytest.mark.parametrize(
    ("kind", "button", "telling"),
    [(KINDS[2], "confirm", "Checking…"), (KINDS[3], "show-proof", "Sending…")],
    ids=lambda value: value.name if isinstance(value, Kind) else None,
)
def test_what_is_on_its_way_is_told_and_a_refusal_leaves_the_focus_where_it_was(
    page: Page, place: Playground, kind: Kind, button: str, telling: str
) -> None:
    page.goto(f"{set_out(place, kind).page}?lang=en")
    body = '{"success": false, "error": {"code": "RATE_LIMITED", "message": "no", "details": {}}}'
    for way in ("otp", "proof"):
        page.route(
            f"**/{way}",
            lambda route: route.fulfill(status=429, content_type="application/json", body=body),
        )
    if kind.name == "otp":
        page.locator("#code").fill("1111")
    else:
        fill_proof(page)
    page.evaluate(LISTEN, "said")
    page.locator(f"#{button}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Too many requests")
    expect(page.locator(f"#{button}")).to_be_focused()
    expect(page.locator("#said")).to_have_role("status")
    assert page.evaluate("heard") == [telling, ""]
