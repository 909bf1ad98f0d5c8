"""What the hosted page promises, for every kind of thing that a payer may have to do: in both
languages, by keyboard and aloud, on a small phone, after a reload, the back button, a double click,
and without a network.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from eishro.adapters.payments import METHODS as OFFERED
from tests.web.pages.kinds import KINDS, Kind, set_out
from tests.web.pages.looking import faults_of, tab_to
from tests.web.pages.playground import Playground
from tests.web.pages.test_pages_in_browser import (
    browser,
    expect_phase,
    in_box,
    page,
    place,
)

__all__ = ["browser", "page", "place"]

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
PROOF = {"senderName": "فاطمة علي", "bank": "NCB", "bankReference": "FT26001"}


def open_kind(page: Page, place: Playground, kind: Kind, language: str = "en") -> None:
    """The page of a payment of this kind, when its script has come to life."""
    page.goto(f"{set_out(place, kind).page}?lang={language}")
    expect_phase(page, kind.phase)
    if kind.name in ("lightbox", "otp"):
        expect(page.locator("#action .primary")).to_be_enabled()


def act(page: Page, kind: Kind) -> None:
    """Do what is to be done, as far as this page goes."""
    if kind.name == "otp":
        page.locator("#code").fill("1111")
        page.locator("#confirm").dblclick()
    elif kind.name == "transfer":
        for name, text in PROOF.items():
            page.locator(f"#proof-{name}").fill(text)
        page.locator("#show-proof").dblclick()
    elif kind.name == "lightbox":
        page.locator("#pay").dblclick()
        in_box(page, "Pay")
    elif kind.name == "redirect":
        page.locator("#go").dblclick()


def times_done(place: Playground) -> int:
    return len(place.results) + len(place.codes) + len(place.proofs)


def test_every_method_is_of_a_kind_that_is_tried_here() -> None:
    kinds = {"offline" if kind.name in ("transfer", "cash") else kind.name for kind in KINDS}
    assert {method.kind for method in OFFERED} == kinds


@each_kind
@pytest.mark.parametrize("language", ["ar", "en"])
def test_everybody_can_read_it_and_nobody_else_is_asked(
    page: Page, place: Playground, kind: Kind, language: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 320, "height": 640})
    open_kind(page, place, kind, language)
    is_arabic = language == "ar"
    expect(page.locator("html")).to_have_attribute("dir", "rtl" if is_arabic else "ltr")
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    outside = {url for url in asked if not url.startswith((place.shop, "data:"))}
    assert outside == ({f"{place.gateway}/js/lightbox.js"} if kind.name == "lightbox" else set())
    # What is said in the other language stands in the link to it, and nowhere else.
    words = page.locator("main").inner_text()
    assert any(
        "\u0621" <= letter <= "\u064a" for letter in words.replace(place.store_name, "")
    ) == (
        is_arabic or kind.name == "transfer"  # the beneficiary's name
    )


@each_kind
def test_a_reload_and_the_way_back_show_where_things_stand(
    page: Page, place: Playground, kind: Kind
) -> None:
    open_kind(page, place, kind)
    page.reload()
    expect_phase(page, kind.phase)
    page.goto(f"{place.shop}/shop")
    place.status = "paid"
    page.go_back()
    expect_phase(page, "paid")
    expect(page.locator("#action")).to_be_hidden()
    expect(page.locator("#again")).to_be_hidden()
    assert times_done(place) == 0


@each_kind
def test_a_second_tab_is_told_of_what_the_first_has_done(
    page: Page, place: Playground, kind: Kind
) -> None:
    open_kind(page, place, kind)
    place.status = "failed"
    page.bring_to_front()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect_phase(page, "failed")
    place.status = "unknown"
    page.reload()
    expect_phase(page, "unknown")
    expect(page.locator("#again")).to_be_hidden()
    expect(page.locator("#headline")).to_have_text("The result is not certain yet")


@pytest.mark.parametrize("kind", [k for k in KINDS if k.control], ids=lambda kind: kind.name)
def test_a_double_click_does_it_once(page: Page, place: Playground, kind: Kind) -> None:
    visits: list[str] = []
    page.on("framenavigated", lambda frame: visits.append(frame.url))
    open_kind(page, place, kind)
    act(page, kind)
    if kind.name == "redirect":
        page.wait_for_url(f"{place.gateway}/frame")
        assert visits.count(f"{place.gateway}/frame") == 1
        return
    expect_phase(page, "processing" if kind.name == "transfer" else "paid")
    assert times_done(place) == 1


def test_the_window_of_a_card_is_reached_by_keyboard(page: Page, place: Playground) -> None:
    open_kind(page, place, KINDS[0])
    tab_to(page, "pay")
    page.keyboard.press("Enter")
    expect(page.locator("#gateway-frame")).to_be_focused()
    expect(page.frame_locator("#gateway-frame").get_by_role("button", name="Pay")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Pay
    expect_phase(page, "paid")
    # Who cannot see is told, and goes on from there.
    expect(page.locator("#state")).to_be_focused()
    expect(page.locator("#state")).to_have_role("status")
    assert tab_to(page, "back") == ["back"]


def test_a_gateway_s_page_is_reached_by_keyboard(page: Page, place: Playground) -> None:
    open_kind(page, place, KINDS[1])
    tab_to(page, "go")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{place.gateway}/frame")
    page.go_back()
    expect_phase(page, "ready_redirect")
    expect(page.locator("#go")).not_to_have_attribute("aria-disabled", "true")


def test_a_code_is_typed_and_corrected_by_keyboard(page: Page, place: Playground) -> None:
    place.wrong_code = True
    open_kind(page, place, KINDS[2])
    tab_to(page, "code")
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    # Said aloud at once, tied to the field, which has the focus again with the wrong code marked.
    expect(page.locator("#code-error")).to_have_role("alert")
    expect(page.locator("#code")).to_be_focused()
    expect(page.locator("#code")).to_have_accessible_description(re.compile("is not the code"))
    assert faults_of(page) == []
    place.wrong_code = False
    page.keyboard.type("1111")
    assert tab_to(page, "confirm") == ["confirm"]
    page.keyboard.press("Space")
    expect_phase(page, "paid")
    expect(page.locator("#state")).to_be_focused()


def test_a_transfer_is_copied_and_shown_by_keyboard(page: Page, place: Playground) -> None:
    open_kind(page, place, KINDS[3])
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    tab_to(page, "Copy")
    page.keyboard.press("Enter")
    expect(page.locator("#copied")).to_have_role("status")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("copied") == "شركة النخلة"
    passed = tab_to(page, "proof-senderName")
    assert passed.count("Copy") == 4
    page.keyboard.type("Fatma")
    page.keyboard.press("Enter")  # too early: everything that is missing is named
    expect(page.locator("#proof-bank")).to_be_focused()
    expect(page.locator("#proof-bank")).to_have_accessible_description("Please fill this in.")
    assert faults_of(page) == []
    page.keyboard.type("NCB")
    tab_to(page, "proof-bankReference")
    page.keyboard.type("FT26001")
    tab_to(page, "show-proof")
    page.keyboard.press("Enter")
    expect_phase(page, "processing")
    expect(page.locator("#state")).to_be_focused()


@each_kind
def test_a_lost_network_is_told_and_found_again(page: Page, place: Playground, kind: Kind) -> None:
    open_kind(page, place, kind)
    page.context.set_offline(True)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("connection is lost")
    expect(notice).to_have_role("alert")
    expect_phase(page, kind.phase)
    assert faults_of(page) == []
    page.context.set_offline(False)
    expect(notice).to_be_hidden()
    expect_phase(page, kind.phase)


def test_a_code_sent_without_a_network_is_sent_again_as_the_same(
    page: Page, place: Playground
) -> None:
    open_kind(page, place, KINDS[2])
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/otp")):
        act(page, KINDS[2])
    expect(page.locator("#notice")).to_contain_text("connection is lost")
    expect(page.locator("#confirm")).to_be_enabled()
    expect(page.locator("#code")).to_have_value("1111")
    assert place.codes == []
    page.context.set_offline(False)
    expect(page.locator("#notice")).to_be_hidden()
    page.locator("#confirm").click()
    expect_phase(page, "paid")
    assert len(place.codes) == 1


def test_a_proof_sent_without_a_network_waits_in_its_form(page: Page, place: Playground) -> None:
    open_kind(page, place, KINDS[3])
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/proof")):
        act(page, KINDS[3])
    expect(page.locator("#show-proof")).to_be_enabled()
    expect(page.locator("#proof-bankReference")).to_have_value("FT26001")
    page.context.set_offline(False)
    expect(page.locator("#notice")).to_be_hidden()
    page.locator("#show-proof").click()
    expect_phase(page, "processing")
    assert len(place.proofs) == 1


def test_a_window_asked_for_without_a_network_opens_with_it(page: Page, place: Playground) -> None:
    place.script_is_missing = True  # it was not there when the page came
    open_kind(page, place, KINDS[0])
    place.script_is_missing = False
    page.context.set_offline(True)
    expect(page.locator("#notice")).to_contain_text("connection is lost")
    page.locator("#pay").click()
    expect(page.locator("#pay")).to_have_text("Try again")
    page.context.set_offline(False)
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "paid")


def test_a_gateway_s_page_asked_for_without_a_network_is_asked_for_again(
    page: Page, place: Playground
) -> None:
    open_kind(page, place, KINDS[1])
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/frame")):
        page.locator("#go").click()
    page.context.set_offline(False)
    page.goto(f"{place.page}?lang=en")  # from the browser's own page of errors
    page.locator("#go").click()
    page.wait_for_url(f"{place.gateway}/frame")
