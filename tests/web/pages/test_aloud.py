"""What a screen reader is given of the hosted page to say: found with Orca, held here by what it
reads: names, descriptions and live regions.
"""

import pytest
from playwright.sync_api import Page, expect

from tests.web.pages.playground import Playground
from tests.web.pages.test_pages_in_browser import browser, page, place
from tests.web.pages.test_pay_page_actions import code_of

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
            ["The code can be used for one more minute.", "The code has run out; ask for a new one."],
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
    page.evaluate(LISTEN, "lives-said")
    seen = page.locator("#lives").inner_text()
    page.clock.run_for(20_000)
    assert page.locator("#lives").inner_text() != seen
    expect(code).to_have_accessible_description("")
    page.clock.run_for(105_000)
    expect(page.locator("#lives-said")).to_have_role("status")
    assert page.evaluate("heard") == told
