"""The hosted page in a real browser, for what is done without the gateway's window: one-time codes,
transfers with their proof, and the way back from a gateway's page.
"""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes

import msgspec
from playwright.sync_api import Page, expect

from eishro.domain.payments.port import Otp, Redirect
from tests.web.pages.kinds import TRANSFER
from tests.web.pages.playground import Playground
from tests.web.pages.test_pages_in_browser import (
    browser,
    expect_phase,
    page,
    pass_time_until,
    place,
)

__all__ = ["browser", "page", "place"]

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(2000)


def code_of(seconds: int, resend: int) -> Otp:
    now = datetime.now(UTC)
    return Otp(4, "091****678", now + timedelta(seconds=seconds), now + timedelta(seconds=resend))


def fill_proof(page: Page) -> None:
    page.get_by_label("Name of the sender").fill("فاطمة علي")
    page.get_by_label("Bank of the sender").fill("NCB")
    page.get_by_label("Number of the transfer").fill("FT26001")


def test_another_code_waits_for_its_time_and_brings_a_new_life(
    page: Page, place: Playground
) -> None:
    place.action = code_of(120, 60)
    place.resent = code_of(600, 400)
    page.goto(f"{place.page}?lang=en")
    resend = page.locator("#resend")
    expect(resend).to_be_disabled()
    expect(resend).to_contain_text("(0:")
    expect(page.locator("#lives")).to_contain_text("can be used for")
    page.clock.run_for(61_000)
    expect(resend).to_have_text("Send a new code")
    page.clock.run_for(61_000)
    expect(page.locator("#lives")).to_contain_text("has run out")
    resend.click()
    expect(page.locator("#notice")).to_have_text("A new code is on its way.")
    expect(page.locator("#lives")).to_contain_text("can be used for")
    expect(resend).to_be_disabled()
    expect(page.locator("#code")).to_be_focused()
    assert place.codes_resent == 1


def test_a_telephone_s_wrong_clock_changes_no_waiting(page: Page, place: Playground) -> None:
    page.clock.set_system_time(datetime(2031, 1, 1, tzinfo=UTC))
    place.action = code_of(600, 300)
    page.goto(f"{place.page}?lang=en")
    expect(page.locator("#resend")).to_be_disabled()
    expect(page.locator("#lives")).to_contain_text("can be used for")


def test_tries_that_are_used_up_end_the_form_and_lead_to_the_shop(
    page: Page, place: Playground
) -> None:
    place.action = Otp(4, "091****678")
    place.wrong_code = True
    place.codes_max = 5
    page.goto(f"{place.page}?lang=en")
    for left in (4, 3, 2, 1, 0):
        page.locator("#code").fill("9999")
        page.keyboard.press("Enter")
        if left:
            expect(page.locator("#code-error")).to_contain_text(f"Tries left: {left}")
    expect_phase(page, "failed")
    expect(page.locator("#action")).to_be_hidden()
    expect(page.locator("#back")).to_be_visible()
    assert len({key for _, key in place.codes}) == 5


def test_facts_are_copied_exactly(page: Page, place: Playground) -> None:
    place.action = TRANSFER
    page.goto(f"{place.page}?lang=en")
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    page.get_by_role("button", name="Copy: IBAN").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("copied") == "LY83002048000020100120361"
    picture = page.get_by_role("img", name="Code to scan")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 100


def test_a_proof_names_its_faults_and_is_sent_with_its_picture(
    page: Page, place: Playground
) -> None:
    place.action = TRANSFER
    page.goto(f"{place.page}?lang=en")
    send = page.get_by_role("button", name="Send the proof")
    send.click()
    sender = page.get_by_label("Name of the sender")
    expect(sender).to_be_focused()
    expect(sender).to_have_attribute("aria-invalid", "true")
    fill_proof(page)
    place.proof_faults = {"bankReference": "is too short"}
    send.click()
    expect(page.locator("#proof-bankReference-error")).to_have_text("is too short")
    place.proof_faults = {}
    page.locator("#proof-file").set_input_files(
        {"name": "receipt.png", "mimeType": "image/png", "buffer": PNG}
    )
    send.dblclick()
    expect_phase(page, "processing")
    expect(page.locator("#headline")).to_have_text("The shop is checking your transfer")
    expect(page.locator("#action")).to_be_hidden()
    (_, _, first), (kind, body, second) = place.proofs
    assert first != second, "other contents are another request"
    form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.walk()}
    sent = {str(name): part.get_payload(decode=True) for name, part in parts.items() if name}
    assert sent["file"] == PNG
    assert sent["senderName"] == "فاطمة علي".encode()
    assert set(sent) == {"senderName", "bank", "date", "bankReference", "file"}
    page.reload()
    expect_phase(page, "processing")


def test_a_proof_lost_on_the_way_is_the_same_proof_again(page: Page, place: Playground) -> None:
    place.action, place.break_proofs = TRANSFER, True
    page.goto(f"{place.page}?lang=en")
    fill_proof(page)
    send = page.get_by_role("button", name="Send the proof")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/proof")):
        send.click()
    expect(send).to_be_enabled()
    expect(page.get_by_label("Number of the transfer")).to_have_value("FT26001")
    place.break_proofs = False
    send.click()
    expect_phase(page, "processing")
    assert len({key for _, _, key in place.proofs}) == 1


def test_a_transfer_that_was_not_found_says_why_and_can_be_shown_again(
    page: Page, place: Playground
) -> None:
    place.action, place.status, place.failure = TRANSFER, "failed", "لم يصل المبلغ"
    page.goto(f"{place.page}?lang=en")
    expect(page.locator("#failure")).to_have_text("لم يصل المبلغ")
    fill_proof(page)
    page.get_by_role("button", name="Send the proof").click()
    expect_phase(page, "processing")
    expect(page.locator("#failure")).to_be_hidden()


def test_a_payer_who_is_back_without_news_is_told_to_wait_or_go_on(
    page: Page, place: Playground
) -> None:
    place.action = Redirect(f"{place.gateway}/frame")
    page.goto(f"{place.page}?lang=en#back")
    expect(page.locator("#notice")).to_contain_text("back from the gateway")
    assert page.url == f"{place.page}?lang=en"
    place.status = "paid"
    pass_time_until(page, "paid")
    expect(page.locator("#notice")).to_be_hidden()


def test_a_refusal_at_a_gateway_s_page_leads_to_the_shop_and_not_there_again(
    page: Page, place: Playground
) -> None:
    place.action, place.status = Redirect(f"{place.gateway}/frame"), "failed"
    page.goto(f"{place.page}?lang=en")
    expect_phase(page, "failed")
    expect(page.locator("#go")).to_be_hidden()
    expect(page.locator("#back")).to_be_visible()


def test_a_small_phone_shows_transfers_and_codes_without_scrolling_sideways(
    page: Page, place: Playground
) -> None:
    page.set_viewport_size({"width": 320, "height": 600})
    place.action = msgspec.structs.replace(
        TRANSFER, details={**TRANSFER.details, "alias": "x" * 60}
    )
    for address in (place.page, f"{place.page}?lang=en"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
