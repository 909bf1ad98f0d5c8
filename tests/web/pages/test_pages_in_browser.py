"""The pages in a real browser: Debian's chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from eishro.domain.payments.port import Offline, Otp, Redirect
from tests.web.pages.playground import PARAMETERS, PAYMENT_ID, Playground

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What the page asks of the shop, and still waits for.
KEEP_QUESTIONS = """
window.asking = new Set();
const { fetch } = window;
window.fetch = (...request) => {
  const answer = fetch(...request);
  const over = answer.then(() => {}, () => {}).then(() => asking.delete(over));
  asking.add(over);
  return answer;
};
"""
_ANSWERED = "async () => { while (asking.size) await Promise.all(asking); }"


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
def place() -> Iterator[Playground]:
    place = Playground()
    place.start()
    yield place
    place.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone's page whose timers the test turns; the policy must never be broken."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.clock.install()
    page.add_init_script(KEEP_QUESTIONS)
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def in_box(page: Page, name: str) -> None:
    page.frame_locator("#gateway-frame").get_by_role("button", name=name).click()


def expect_phase(page: Page, phase: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-phase", phase)


def pass_time(page: Page, seconds: int) -> None:
    """Turn the page's clock on, when what was asked of the shop is answered: else an answer that is
    on its way would be given up as one that takes too long.
    """
    page.evaluate(_ANSWERED)
    page.clock.run_for(seconds * 1000)


def pass_time_until(page: Page, phase: str) -> None:
    """Turn the page's clock on until it shows this: as often as its questions need."""
    state = page.locator("#state")
    for _ in range(40):
        pass_time(page, 15)
        if state.get_attribute("data-phase") == phase:
            return
    expect_phase(page, phase)


def told(page: Page) -> None:
    """The shop has taken what the gateway's window reported."""
    kept = f"JSON.parse(sessionStorage.getItem('eishro.{PAYMENT_ID}')).reports.length"
    for _ in range(500):
        page.evaluate(_ANSWERED)
        if page.evaluate(kept) == 0:
            return
    raise AssertionError("it was never taken")


def times_opened(page: Page) -> int:
    return int(page.evaluate("opened"))


def test_paying_reports_the_result_and_shows_the_shops_verdict(
    page: Page, place: Playground
) -> None:
    page.goto(place.page)
    page.locator("#pay").click()
    # The gateway's script is there once its window is.
    expect(page.locator("#gateway-frame")).to_have_count(1)
    assert page.evaluate("Lightbox.Checkout.configure.SecureHash") == PARAMETERS["SecureHash"]
    in_box(page, "Pay")
    expect_phase(page, "paid")
    expect(page.locator("#gateway-frame")).to_have_count(0)
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#action")).to_be_hidden()
    expect(page.locator("#state")).to_be_focused()
    expect(page.locator("#back")).to_have_attribute("href", f"{place.shop}/shop")
    assert [result["SystemReference"] for result in place.results] == ["3124"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("ar", "يمكنك إغلاق هذه الصفحة"), ("en", "You can close this page")],
)
def test_where_no_shop_is_known_a_sentence_takes_the_place_of_the_link(
    page: Page, place: Playground, language: str, words: str
) -> None:
    place.return_url = None
    page.goto(f"{place.page}?lang={language}")
    expect(page.locator("#close")).to_be_hidden()
    place.status = "paid"
    pass_time_until(page, "paid")
    expect(page.locator("#close")).to_be_visible()
    expect(page.locator("#close")).to_contain_text(words)
    expect(page.locator("#back")).to_have_count(0)


def test_an_unconfirmed_completion_waits_for_the_gateway_and_offers_no_second_payment(
    page: Page, place: Playground
) -> None:
    place.after_result = "action_required"
    page.goto(place.page)
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "processing")
    told(page)
    expect(page.locator("#action")).to_be_hidden()
    for _ in range(4):
        pass_time(page, 15)
    expect(page.locator("#detail")).to_contain_text("أطول من المعتاد")
    page.reload()
    expect_phase(page, "processing")
    place.status = "paid"
    pass_time_until(page, "paid")
    assert len(place.results) == 1


def test_closing_the_window_offers_it_again(page: Page, place: Playground) -> None:
    page.goto(f"{place.page}?lang=en")
    page.locator("#pay").click()
    in_box(page, "Close")
    expect(page.locator("#notice")).to_contain_text("closed")
    expect(page.locator("#pay")).to_be_focused()
    expect(page.locator("#pay")).to_have_text("Try again")
    page.keyboard.press("Enter")
    in_box(page, "Pay")
    expect_phase(page, "paid")
    assert len(place.results) == 1


def test_a_declined_card_is_reported_and_another_can_be_tried(
    page: Page, place: Playground
) -> None:
    place.after_result = "failed"
    page.goto(f"{place.page}?lang=en")
    page.locator("#pay").click()
    in_box(page, "Decline")
    expect_phase(page, "failed")
    assert place.results[0]["error"].startswith("CUBEEX")
    in_box(page, "Close")
    place.after_result = "paid"
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "paid")
    assert len(place.results) == 2


def test_an_older_refusal_does_not_outweigh_a_completion(page: Page, place: Playground) -> None:
    place.after_result = "failed"
    page.goto(place.page)
    page.locator("#pay").click()
    in_box(page, "Decline")
    expect_phase(page, "failed")
    in_box(page, "Pay")
    expect(page.locator("#gateway-frame")).to_have_count(0)
    expect_phase(page, "processing")
    expect(page.locator("#action")).to_be_hidden()
    place.status = "paid"
    pass_time_until(page, "paid")


def test_closing_the_receipt_is_no_cancellation(page: Page, place: Playground) -> None:
    place.result_status = 503
    page.goto(place.page)
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "processing")
    in_box(page, "Close")
    expect(page.locator("#gateway-frame")).to_have_count(0)
    expect(page.locator("#notice")).to_be_hidden()
    expect_phase(page, "processing")


def test_a_second_click_opens_no_second_window(page: Page, place: Playground) -> None:
    page.goto(place.page)
    page.locator("#pay").dblclick()
    expect(page.locator("#gateway-frame")).to_have_count(1)
    page.evaluate("document.getElementById('pay').click()")
    assert times_opened(page) == 1
    expect(page.locator("#pay")).to_be_disabled()


def test_a_result_lost_on_the_way_is_sent_until_the_shop_has_it(
    page: Page, place: Playground
) -> None:
    place.break_results = True
    page.goto(place.page)
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "processing")
    expect(page.locator("#notice")).to_contain_text("انقطع الاتصال")
    page.reload()
    expect_phase(page, "processing")
    expect(page.locator("#notice")).to_contain_text("انقطع الاتصال")
    place.break_results = False
    pass_time_until(page, "paid")
    expect(page.locator("#notice")).to_be_hidden()
    assert len(place.results) == 1
    page.reload()
    expect_phase(page, "paid")
    assert len(place.results) == 1


def test_a_shop_in_trouble_gets_the_result_later(page: Page, place: Playground) -> None:
    place.result_status = 503
    page.goto(place.page)
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "processing")
    place.result_status = 200
    pass_time_until(page, "paid")


def test_an_offline_payer_is_told_and_goes_on_when_back(page: Page, place: Playground) -> None:
    page.goto(f"{place.page}?lang=en")
    page.locator("#pay").click()
    frame = page.frame_locator("#gateway-frame").get_by_role("button", name="Pay")
    expect(frame).to_be_visible()
    page.context.set_offline(True)
    frame.click()
    expect(page.locator("#notice")).to_contain_text("do not pay again")
    page.context.set_offline(False)
    expect_phase(page, "paid")
    expect(page.locator("#notice")).to_be_hidden()


def test_a_script_that_does_not_load_can_be_tried_again(page: Page, place: Playground) -> None:
    place.script_is_missing = True
    page.goto(f"{place.page}?lang=en")
    page.locator("#pay").click()
    expect(page.locator("#notice")).to_contain_text("could not be loaded")
    place.script_is_missing = False
    page.get_by_role("button", name="Try again").click()
    in_box(page, "Pay")
    expect_phase(page, "paid")


def test_a_page_whose_own_script_is_lost_says_so(page: Page, place: Playground) -> None:
    page.route("**/assets/pay.js*", lambda route: route.abort())
    page.goto(place.page)
    expect(page.locator("#broken")).to_be_visible()
    expect(page.locator("#pay")).to_be_disabled()


def test_a_window_that_never_reports_can_be_opened_anew(page: Page, place: Playground) -> None:
    page.goto(f"{place.page}?lang=en")
    page.locator("#pay").click()
    expect(page.locator("#gateway-frame")).to_have_count(1)
    page.evaluate("document.getElementById('gateway-frame').remove()")
    page.clock.run_for(5_000)
    expect(page.locator("#pay")).to_have_accessible_name("Pay 25.500 Libyan dinars")
    page.locator("#pay").click()
    in_box(page, "Pay")
    expect_phase(page, "paid")


def test_a_payment_made_elsewhere_is_noticed_before_the_window_opens(
    page: Page, place: Playground
) -> None:
    page.goto(place.page)
    expect(page.locator("#pay")).to_be_enabled()
    place.status = "paid"
    page.locator("#pay").click()
    expect_phase(page, "paid")
    assert times_opened(page) == 0


def test_coming_back_shows_the_present_state(page: Page, place: Playground) -> None:
    page.goto(place.page)
    page.goto(f"{place.shop}/shop")
    place.status = "expired"
    page.go_back()
    expect_phase(page, "expired")
    expect(page.locator("#action")).to_be_hidden()


def test_arabic_runs_from_right_to_left_and_english_is_one_press_away(
    page: Page, place: Playground
) -> None:
    page.goto(place.page)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    amount = page.locator(".amount")
    expect(amount).to_contain_text("25.500 د.ل")
    number, unit = amount.locator("bdi").bounding_box(), amount.locator(".unit").bounding_box()
    assert number is not None
    assert unit is not None
    assert number["x"] > unit["x"]
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("dir", "ltr")
    expect(amount).to_contain_text("LYD 25.500")
    expect(page.get_by_role("button")).to_contain_text("Pay LYD 25.500")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_sticks_out_sideways(page: Page, place: Playground, width: int) -> None:
    place.store_name = "متجر" * 40
    page.set_viewport_size({"width": width, "height": 700})
    for address in (place.page, f"{place.page}?lang=en", f"{place.shop}/sandbox"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_hostile_store_name_stays_text(page: Page, place: Playground) -> None:
    place.store_name = "</script><img src=x onerror=\"document.title='taken'\">"
    page.goto(place.page)
    expect_phase(page, "ready_lightbox")
    expect(page.locator("h1")).to_contain_text("</script><img")
    expect(page.locator("img")).to_have_count(0)


def test_a_code_is_sent_in_ascii_and_a_wrong_one_can_be_corrected(
    page: Page, place: Playground
) -> None:
    place.action = Otp(6, "091****678")
    place.wrong_code = True
    page.goto(f"{place.page}?lang=en")
    code = page.get_by_label("One-time code")
    code.fill("12")
    page.keyboard.press("Enter")
    expect(page.locator("#code-error")).to_contain_text("whole code")
    code.fill("١٢٣٤٥٦")
    page.keyboard.press("Enter")
    expect(page.locator("#code-error")).to_contain_text("was sent. Tries left: 4")
    expect(code).to_be_focused()
    expect(code).to_have_attribute("aria-invalid", "true")
    place.wrong_code = False
    code.fill("111111")
    page.get_by_role("button", name="Confirm payment").dblclick()
    expect_phase(page, "paid")
    assert [sent for sent, _ in place.codes] == ["123456", "111111"]
    assert len({key for _, key in place.codes}) == 2


def test_a_new_code_can_be_asked_for_once_a_minute(page: Page, place: Playground) -> None:
    place.action = Otp(6, "091****678")
    page.goto(f"{place.page}?lang=en")
    resend = page.get_by_role("button", name="Send a new code")
    resend.click()
    expect(page.locator("#notice")).to_have_text("A new code is on its way.")
    expect(resend).to_be_disabled()
    page.clock.run_for(61_000)
    expect(resend).to_be_enabled()
    assert place.codes_resent == 1


def test_a_redirect_goes_to_the_gateway_without_telling_where_from(
    page: Page, place: Playground
) -> None:
    place.action = Redirect(f"{place.gateway}/frame")
    page.goto(place.page)
    with page.expect_request(f"{place.gateway}/frame") as request:
        page.locator("#go").click()
    assert PAYMENT_ID not in request.value.all_headers().get("referer", "")


def test_instructions_keep_their_lines_and_show_the_money_when_it_comes(
    page: Page, place: Playground
) -> None:
    place.action = Offline("المصرف: الجمهورية\nIBAN: LY00")
    page.goto(place.page)
    expect(page.locator(".instructions")).to_have_css("white-space-collapse", "preserve-breaks")
    expect(page.locator("#back")).to_be_visible()
    place.status = "paid"
    pass_time_until(page, "paid")


def test_a_page_made_too_early_is_made_again_when_the_action_is_known(
    page: Page, place: Playground
) -> None:
    action, place.action, place.status = place.action, None, "created"
    page.goto(place.page)
    expect_phase(page, "created")
    place.action, place.status = action, "action_required"
    with page.expect_navigation():  # the first questions follow each other within seconds
        page.clock.run_for(5_000)
    expect_phase(page, "ready_lightbox")


def test_an_unusable_action_is_not_asked_for_in_circles(page: Page, place: Playground) -> None:
    place.action = Redirect("javascript:alert(1)")
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.goto(place.page)
    for _ in range(6):
        pass_time(page, 15)
    expect_phase(page, "created")
    assert len(loads) == 1


def test_swagger_ui_draws_an_openapi_3_1_document(page: Page, place: Playground) -> None:
    amount = {"type": ["number", "null"], "examples": [25.5]}
    answer = {"description": "ok", "content": {"application/json": {"schema": amount}}}
    place.openapi = {
        "openapi": "3.1.0",
        "info": {"title": "EISHRO API", "version": "1", "summary": "a member new in 3.1"},
        "paths": {"/api/orders": {"get": {"tags": ["Orders"], "responses": {"200": answer}}}},
    }
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{place.shop}/docs")
    expect(page.locator(".info .title")).to_contain_text("EISHRO API")
    expect(page.locator(".info .title")).to_contain_text("OAS 3.1")
    page.get_by_role("button", name="Expand operation").click()
    page.locator(".opblock-summary-control").click()
    expect(page.locator(".opblock-body")).to_be_visible()
    assert all(url.startswith((place.shop, "data:", "blob:")) for url in asked)
