"""Paying again in a real browser: from the page of an attempt that is over to the next one's."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.pages.kinds import KINDS, METHODS, Kind, set_out
from tests.web.pages.looking import faults_of, tab_to
from tests.web.pages.playground import NEXT_ID, PAYMENT_ID, Playground
from tests.web.pages.test_pages_in_browser import browser, expect_phase, in_box, page, place

__all__ = ["browser", "page", "place"]


def choosing(page: Page, place: Playground, language: str = "en") -> None:
    """The page to choose on, reached by the link of a payment that was refused."""
    set_out(place, KINDS[1]).status = "failed"
    page.goto(f"{place.page}?lang={language}")
    page.locator("#again").click()
    expect(page.locator("#start")).to_be_enabled()


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_over_leads_to_the_choice(
    page: Page, place: Playground, kind: Kind, status: str
) -> None:
    set_out(place, kind).status = status  # type: ignore[assignment]
    page.goto(f"{place.page}?lang=en")
    is_code = kind.name == "otp"
    label = "Choose another way to pay" if is_code else "Pay again or choose another way"
    expect(page.get_by_role("link", name=label)).to_have_attribute(
        "href", f"/pay/{PAYMENT_ID}/again?lang=en"
    )
    assert faults_of(page) == []


@pytest.mark.parametrize("status", ["processing", "unknown", "paid", "refunded"])
def test_what_may_be_charged_or_is_paid_does_not(
    page: Page, place: Playground, status: str
) -> None:
    set_out(place, KINDS[0]).status = status  # type: ignore[assignment]
    page.goto(place.page)
    expect_phase(page, status)
    expect(page.locator("#again")).to_be_hidden()


def test_an_order_that_waits_for_no_money_offers_nothing(page: Page, place: Playground) -> None:
    place.again, place.status = False, "cancelled"
    page.goto(f"{place.page}?lang=en")
    expect(page.locator("#detail")).to_contain_text("cannot be paid here any more")
    expect(page.locator("#again")).to_have_count(0)


def test_a_refusal_in_the_window_offers_another_way_at_once(page: Page, place: Playground) -> None:
    place.after_result, place.methods = "failed", METHODS
    page.goto(f"{place.page}?lang=en")
    expect(page.locator("#again")).to_be_hidden()
    page.locator("#pay").click()
    in_box(page, "Decline")
    expect_phase(page, "failed")
    in_box(page, "Close")
    page.locator("#again").click()
    expect(page.get_by_role("radio", name="Local bank card (Moamalat)")).to_be_checked()


@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_choice_is_read_by_everybody(page: Page, place: Playground, language: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 320, "height": 640})
    choosing(page, place, language)
    direction = "rtl" if language == "ar" else "ltr"
    expect(page.locator("html")).to_have_attribute("dir", direction)
    group = page.get_by_role("group", name="كيف تود الدفع؟" if language == "ar" else "How would")
    expect(group.get_by_role("radio")).to_have_count(len(METHODS))
    expect(group).to_contain_text("USD 5.32")
    for number in range(len(METHODS)):
        group.get_by_role("radio").nth(number).check()
        assert faults_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert all(url.startswith((place.shop, "data:")) for url in asked)


def test_another_way_is_chosen_by_keyboard_alone(page: Page, place: Playground) -> None:
    choosing(page, place)
    tab_to(page, "method")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Sadad")).to_be_checked()
    page.keyboard.press("Enter")  # too early: everything that is missing is named
    phone = page.get_by_label("Phone of the wallet")
    expect(phone).to_be_focused()
    expect(phone).to_have_accessible_description("Please fill this in.")
    expect(page.locator("#birthYear-error")).to_have_role("alert")
    page.keyboard.type("٠٩١ ٢٣٤ ٥٦٧٨")
    tab_to(page, "birthYear")
    page.keyboard.type("1990")
    place.again_faults = {"birthYear": "is not the wallet's"}
    tab_to(page, "start")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Year of birth")).to_be_focused()
    expect(page.locator("#birthYear-error")).to_have_text("is not the wallet's")
    place.again_faults = {}
    page.keyboard.press("Enter")
    page.wait_for_url(f"{place.shop}/pay/{NEXT_ID}?lang=en")
    expect_phase(page, "ready_redirect")
    wish = {"method": "sadad", "phone": "0912345678", "birthYear": 1990}
    assert [body for body, _ in place.choices] == [wish, wish]
    assert len({key for _, key in place.choices}) == 2


def test_a_method_that_asks_for_nothing_is_told_nothing(page: Page, place: Playground) -> None:
    choosing(page, place)
    page.get_by_role("radio", name="Sadad").check()
    page.get_by_label("Phone of the wallet").fill("0912345678")
    page.get_by_role("radio", name="Cash on delivery").check()
    expect(page.locator("#phone")).to_be_hidden()
    page.locator("#start").click()
    page.wait_for_url(f"**/pay/{NEXT_ID}?lang=en")
    assert [body for body, _ in place.choices] == [{"method": "cod"}]


def test_a_double_click_begins_one_and_the_way_back_begins_none(
    page: Page, place: Playground
) -> None:
    choosing(page, place, "ar")
    page.locator("#start").dblclick()
    page.wait_for_url(f"**/pay/{NEXT_ID}?lang=ar")
    assert len(place.choices) == 1
    page.reload()
    expect_phase(page, "ready_redirect")
    place.status = "cancelled"
    page.go_back()  # past the choice, to the payment that was given up
    page.wait_for_url(f"**/pay/{PAYMENT_ID}?lang=ar")
    expect_phase(page, "cancelled")
    assert len(place.choices) == 1


def test_a_choice_lost_on_the_way_is_the_same_choice_again(page: Page, place: Playground) -> None:
    place.break_again = True
    choosing(page, place)
    page.get_by_role("radio", name="OnePay").check()
    page.get_by_label("Card number").fill("1234567")
    page.locator("#start").click()
    expect(page.locator("#notice")).to_contain_text("connection is lost")
    expect(page.locator("#start")).to_be_enabled()
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: request.method == "POST"):
        page.locator("#start").click()
    expect(page.locator("#start")).to_be_enabled()
    page.context.set_offline(False)
    place.break_again = False
    page.locator("#start").click()
    page.wait_for_url(f"**/pay/{NEXT_ID}?lang=en")
    assert len({key for _, key in place.choices}) == 1
    assert [body for body, _ in place.choices] == [{"method": "onepay", "card": "1234567"}] * 2


def test_an_attempt_that_is_open_elsewhere_is_gone_on_with(page: Page, place: Playground) -> None:
    choosing(page, place)
    place.goes_on_with = NEXT_ID
    page.locator("#start").click()
    page.wait_for_url(f"**/pay/{NEXT_ID}?lang=en")
    expect_phase(page, "ready_redirect")


def test_a_method_that_is_refused_says_why_and_another_can_be_chosen(
    page: Page, place: Playground
) -> None:
    choosing(page, place)
    place.again_faults = {"method": "does not answer today"}
    page.locator("#start").click()
    expect(page.locator("#notice")).to_have_text("does not answer today")
    expect(page.locator("#notice")).to_have_role("alert")
    place.again_faults = {}
    page.get_by_role("radio", name="Bank transfer").check()
    page.locator("#start").click()
    page.wait_for_url(f"**/pay/{NEXT_ID}?lang=en")


def test_a_page_whose_script_is_lost_says_so(page: Page, place: Playground) -> None:
    set_out(place, KINDS[1]).status = "failed"
    page.route("**/assets/pay-again.js*", lambda route: route.abort())
    page.goto(f"{place.page}/again?lang=en")
    expect(page.locator("#broken")).to_be_visible()
    expect(page.locator("#start")).to_be_disabled()
