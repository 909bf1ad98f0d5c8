"""The payment page, the message page and the sandbox index as text: words, escaping, policy."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, get_args

import msgspec
import pytest

from eishro.adapters.payments import METHODS as OFFERED
from eishro.addresses import origin_of
from eishro.domain.payments.model import Status
from eishro.domain.payments.port import Lightbox, Offline, Otp, Redirect
from eishro.errors import Words
from eishro.web.pages import messages, pay, rendering, sandbox
from eishro.web.pages.assets import asset_address, read_asset
from eishro.web.pages.pay_words import (
    AGAIN,
    CLOSED,
    LABELS,
    METHODS,
    NOTICES,
    NOTICES_OF,
    PHASES,
    SHOWN,
)
from tests.web.pages.kinds import CASH, KINDS

NONCE = "dGVzdC1ub25jZS0x"
SCRIPT = "https://tnpg.moamalat.net:6006/js/lightbox.js"
HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\u2029&\"'<!--"
WEIGHT_MAX = 30_000  # bytes of page, style and script together
LANGUAGES: tuple[Literal["ar"], Literal["en"]] = ("ar", "en")

TRANSFER = {
    "beneficiary": "شركة النخلة",
    "bank": "مصرف الجمهورية",
    "bankEn": "Jumhouria Bank",
    "iban": "LY83002048000020100120361",
    "reference": "K7Q4-M2P9",
    "amount": "25.500",
    "currency": "LYD",
}
LIGHTBOX = Lightbox(
    SCRIPT,
    {
        "MID": "10081014649",
        "TID": "99179395",
        "AmountTrxn": "25500",
        "MerchantReference": "ABCDEFGH12345678",
        "TrxDateTime": "202601311200",
        "SecureHash": "A" * 64,
    },
)
VIEW = pay.PayPageView(
    payment_id="pay_01JABCDEFGHJKMNPQRSTVWXYZ0",
    order_number="A-1042",
    store_name="متجر النخلة",
    method="moamalat",
    status="action_required",
    amount_dirhams=25500,
    currency="LYD",
    action=LIGHTBOX,
    expires_at=datetime(2026, 1, 31, 12, 5, tzinfo=UTC),
    return_url="https://shop.example.ly/orders/7?a=1&b=2",
)


class Outline(HTMLParser):
    """Every element with its attributes, and the texts of `<script>` elements by id."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text = ""
        self._script: str | None = None
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = (dict(attrs).get("id") or "") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        else:
            self.text += data

    def with_id(self, wanted: str) -> dict[str, str | None]:
        """The attributes of the element with this id."""
        return next(attrs for _, attrs in self.elements if attrs.get("id") == wanted)

    def has_id(self, wanted: str) -> bool:
        """Whether there is such an element."""
        return any(attrs.get("id") == wanted for _, attrs in self.elements)


def outline(language: Literal["ar", "en"] = "ar", **changes: object) -> Outline:
    view = msgspec.structs.replace(VIEW, **changes)
    return Outline(pay.render_pay_page(view, language=language, nonce=NONCE))


def content(name: str) -> bytes:
    found = read_asset(name)
    assert found is not None
    return found[0]


def payload(page: Outline) -> dict[str, object]:
    found: dict[str, object] = json.loads(page.scripts["payment"])
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_names_store_order_method_and_the_exact_amount(
    language: Literal["ar", "en"],
) -> None:
    page = outline(language)
    text = " ".join(page.text.split())
    assert ("html", {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}) in (
        page.elements
    )
    assert "متجر النخلة" in text
    assert "A-1042" in text
    assert METHODS["moamalat"].in_(language) in text
    assert ("25.500 د.ل" if language == "ar" else "LYD 25.500") in text
    assert "2026-01-31 14:05" in text, "Libyan time"
    assert page.with_id("back")["href"] == VIEW.return_url


@pytest.mark.parametrize(
    ("dirhams", "text"),
    [(0, "0.000"), (5, "0.005"), (25500, "25.500"), (1_234_500, "1,234.500"), (-750, "-0.750")],
)
def test_dinars_always_show_three_decimals(dirhams: int, text: str) -> None:
    assert rendering.amount_text(dirhams, "LYD") == text


def test_the_script_is_told_what_the_gateway_needs() -> None:
    told = payload(outline())
    assert told["api"] == f"/api/payments/{VIEW.payment_id}"
    assert told["action"] == {
        "kind": "lightbox",
        "canRetry": True,
        "scriptUrl": SCRIPT,
        "parameters": LIGHTBOX.parameters,
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_has_words_in_the_page(status: Status, language: Literal["ar", "en"]) -> None:
    page = outline(language, status=status)
    open_ones = ("created", "action_required")
    phase = "ready_lightbox" if status in open_ones else status
    assert page.with_id("state")["data-phase"] == phase
    assert PHASES[phase][0].in_(language) in page.text
    assert ("hidden" in page.with_id("action")) == (status not in open_ones)


def test_both_languages_say_everything() -> None:
    for words in (*LABELS.values(), *METHODS.values(), *NOTICES.values(), *AGAIN.values()):
        assert words.ar.strip()
        assert words.en.strip()
    for headline, detail in PHASES.values():
        for words in (headline, detail):
            assert re.search("[\u0621-\u064a]", words.ar)
            assert words.en.isascii()


def test_the_script_uses_no_word_that_is_missing() -> None:
    names = ("pay.js", "pay-lightbox.js", "pay-otp.js", "pay-offline.js")
    source = "".join(content(name).decode() for name in names)
    assert set(re.findall(r"words\.(\w+)", source)) == set(NOTICES)
    anew = content("pay-again.js").decode()
    assert set(re.findall(r"words\.(\w+)", anew)) == set(AGAIN)


def test_cash_is_told_in_the_page_s_language_and_not_the_order_s() -> None:
    assert "Pay LYD" not in outline("en", method="cod", action=CASH).text
    english = outline("en", method="cod", action=CASH)
    assert "Pay 25.500 Libyan dinars in cash to the courier." in english.text
    assert "ادفع 25.500 دينار ليبي نقدا لمندوب التوصيل." in outline(method="cod", action=CASH).text
    assert not any("data-copy" in attrs for _, attrs in english.elements)
    assert outline(action=Offline("كما قيل")).text.count("كما قيل") == 1


def test_an_order_that_cannot_be_paid_any_more_offers_no_other_attempt() -> None:
    for again, status in ((None, "failed"), (True, "expired"), (True, "cancelled")):
        page = outline(again=again, status=status)
        assert "hidden" not in page.with_id("again")
        assert page.with_id("again")["href"] == f"/pay/{VIEW.payment_id}/again?lang=ar"
    for status in ("action_required", "processing", "unknown", "paid"):
        assert "hidden" in outline(status=status).with_id("again")
    over = outline(again=False, status="failed")
    assert not over.has_id("again")
    assert CLOSED.ar in over.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_page_is_light(language: Literal["ar", "en"]) -> None:
    html = pay.render_pay_page(VIEW, language=language, nonce=NONCE)
    names = ("pay.css", "pay.js", "pay-lightbox.js")
    assert len(html) + sum(len(content(name)) for name in names) < WEIGHT_MAX


@pytest.mark.parametrize(
    "action",
    [
        LIGHTBOX,
        Lightbox(SCRIPT, {HOSTILE: HOSTILE}),
        Redirect(f"https://gateway.example/?q={HOSTILE}"),
        Otp(6, HOSTILE),
        Offline(HOSTILE),
        Offline("", {"iban": HOSTILE, HOSTILE: HOSTILE}, takes_proof=True),
        None,
    ],
)
def test_hostile_texts_never_become_markup(action: object) -> None:
    page = outline(
        action=action,
        store_name=HOSTILE,
        order_number=HOSTILE,
        method=HOSTILE,
        payment_id=HOSTILE,
        return_url=f"https://shop.example.ly/{HOSTILE}",
    )
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags
    assert tags.count("script") in (3, 4)
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert payload(page)["id"] == HOSTILE
    assert not set(page.scripts["payment"]) & set("<>&\u2028\u2029")


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/x", "https://", "https://a b/"],
)
def test_only_web_addresses_become_links(address: str) -> None:
    page = outline(return_url=address, status="paid")
    assert not page.has_id("back")
    assert page.has_id("close")
    assert not outline(action=Redirect(address)).has_id("go")
    assert not outline(action=Lightbox(address, {})).has_id("pay")


def test_every_script_of_the_page_carries_the_nonce_and_comes_from_here() -> None:
    page = outline()
    scripts = [attrs for tag, attrs in page.elements if tag == "script"]
    assert all(attrs["nonce"] == NONCE for attrs in scripts)
    assert [attrs["src"] for attrs in scripts if "src" in attrs] == [
        asset_address("pay-lightbox.js"),
        asset_address("pay.js"),
    ]
    assert [a["href"] for tag, a in page.elements if tag == "link"] == [
        "data:,",
        asset_address("pay.css"),
    ]


def test_fields_and_states_speak_to_screen_readers() -> None:
    page = outline(action=Otp(6, "091****678"))
    labels = {attrs.get("for") for tag, attrs in page.elements if tag == "label"}
    assert "code" in labels
    assert page.with_id("code")["autocomplete"] == "one-time-code"
    # The clock is not of it: readers would say it anew every second.
    assert page.with_id("code")["aria-describedby"] == "code-error"
    assert page.with_id("state")["aria-live"] == "polite"
    assert page.with_id("notice")["role"] == "alert"


def test_facts_are_named_in_the_page_s_language_and_copied_as_banks_take_them() -> None:
    action = Offline("", TRANSFER, takes_proof=True)
    page = outline("en", action=action)
    copies = [a["data-copy"] for tag, a in page.elements if tag == "button" and "data-copy" in a]
    assert copies == [
        "شركة النخلة",
        "Jumhouria Bank",
        "LY83002048000020100120361",
        "25.500",
        "K7Q4-M2P9",
    ]
    assert "LY83 0020 4800 0020 1001 2036 1" in page.text
    assert "25.500 Libyan dinars" in page.text
    assert "مصرف الجمهورية" not in page.text
    assert "مصرف الجمهورية" in outline("ar", action=action).text
    labels = {attrs.get("for") for tag, attrs in page.elements if tag == "label"}
    inputs = {attrs.get("id") for tag, attrs in page.elements if tag == "input"}
    assert inputs == labels
    assert {"proof-senderName", "proof-file"} < inputs


def test_a_code_to_scan_is_a_picture_of_the_page_itself() -> None:
    page = outline(action=Offline("", TRANSFER, qr="000201010212"))
    pictures = [attrs for tag, attrs in page.elements if tag == "img"]
    assert [p["src"][:22] for p in pictures if p["src"]] == ["data:image/png;base64,"]
    assert pictures[0]["alt"]
    assert not page.has_id("proof")
    assert not outline(action=Offline("", TRANSFER, qr="x" * 5000)).text.count("data:image")


def test_a_transfer_is_looked_at_by_people_and_a_no_says_why() -> None:
    action = Offline("", TRANSFER, takes_proof=True)
    assert SHOWN["processing"][0].ar in outline(action=action, status="processing").text
    page = outline(action=action, status="failed", failure="لم يصل المبلغ")
    assert "لم يصل المبلغ" in page.text
    assert "hidden" not in page.with_id("failure")


def test_every_method_on_offer_has_a_name_on_the_page() -> None:
    assert {m.method for m in OFFERED} <= set(METHODS)
    assert {name for names in NOTICES_OF.values() for name in names} <= set(NOTICES)


def test_without_javascript_the_page_says_so() -> None:
    assert LABELS["noscript"].ar in outline().text


def test_the_policy_names_this_server_and_the_gateway_alone() -> None:
    policy = dict(
        part.split(" ", 1)
        for part in pay.content_security_policy(NONCE, SCRIPT).split("; ")
        if " " in part
    )
    gateway = "https://tnpg.moamalat.net:6006"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' 'nonce-{NONCE}' {gateway}"
    assert policy["style-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {gateway}"
    assert policy["frame-src"] == f"'self' {gateway}"
    assert policy["img-src"] == "'self' data:"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy["script-src"]


def test_without_a_gateway_the_policy_allows_nothing_outside() -> None:
    policy = pay.content_security_policy(NONCE, None)
    assert "http" not in policy
    assert "unsafe" not in policy
    assert "form-action 'none'" in policy


@pytest.mark.parametrize(
    ("nonce", "origin"),
    [
        ("short", None),
        ("abcdefgh'; script-src *", None),
        (NONCE, "https://a.example; script-src *"),
        (NONCE, "https://*"),
        (NONCE, "javascript:alert(1)"),
        (NONCE, "https://a.example:99999999"),
        (NONCE, ""),
    ],
)
def test_a_policy_cannot_be_widened_from_outside(nonce: str, origin: str | None) -> None:
    with pytest.raises(ValueError, match=r"nonce|address"):
        pay.content_security_policy(nonce, origin)


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        (SCRIPT, "https://tnpg.moamalat.net:6006"),
        ("http://127.0.0.1:8000/sandbox/x.js?y#z", "http://127.0.0.1:8000"),
        ("https://user:secret@gateway.example/x", "https://gateway.example"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize("name", ["pay.py", "../pay.py", "", "pay.js/", "PAY.JS", "templates"])
def test_only_listed_assets_are_given_away(name: str) -> None:
    assert read_asset(name) is None


def test_assets_carry_a_type_and_a_tag_of_their_content() -> None:
    script, style = read_asset("pay.js"), read_asset("pay.css")
    assert script is not None
    assert style is not None
    assert script[1].startswith("text/javascript")
    assert style[1].startswith("text/css")
    assert script[2] != style[2]
    assert script[2][1:13] in asset_address("pay.js")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_page_speaks_both_languages_the_wanted_one_first(language: str) -> None:
    page = Outline(
        messages.render_message_page(Words("Nothing here", "لا شيء هنا"), Words("", ""), language)
    )
    assert ("html", {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}) in (
        page.elements
    )
    en, ar = page.text.rindex("Nothing here"), page.text.rindex("لا شيء هنا")
    assert (en < ar) == (language == "en")


def test_a_message_page_escapes_its_words() -> None:
    words = Words(HOSTILE, HOSTILE)
    page = Outline(messages.render_message_page(words, words, "ar"))
    assert not {"img", "script"} & {tag for tag, _ in page.elements}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sandbox_index_shows_links_cards_and_the_code(language: Literal["ar", "en"]) -> None:
    declined = sandbox.TestCard("6394000000000002", outcome=Words("declined", "مرفوضة"))
    page = Outline(
        sandbox.render_sandbox_index(
            [("/sandbox/mail", "صندوق البريد", "Mail outbox")],
            language=language,
            own_cards=[declined],
        )
    )
    digits = page.text.replace(" ", "")
    assert all(card.number in digits for card in (*sandbox.TEST_CARDS, declined))
    assert declined.outcome.in_(language) in page.text
    assert "111111" in page.text
    assert "صندوق البريد" in page.text
    assert "Mail outbox" in page.text
    assert ("a", {"href": "/sandbox/mail"}) in page.elements


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example", "/\\evil", "mail"])
def test_the_sandbox_index_refuses_strange_links(address: str) -> None:
    with pytest.raises(ValueError, match="path or web address"):
        sandbox.render_sandbox_index([(address, "x", "x")])


def test_the_guide_s_pictures_are_all_there_and_small() -> None:
    """Made by `python -m tests.web.pages.pictures`."""
    folder = Path(__file__).resolve().parents[3] / "docs" / "guide"
    names = [kind.name for kind in KINDS]
    wanted = {f"pay-{name}-{lang}.png" for name in [*names, "again"] for lang in LANGUAGES}
    guide = (folder / "hosted-payment-page.md").read_text(encoding="utf-8")
    assert set(re.findall(r"images/(pay-[\w-]+\.png)", guide)) == wanted
    assert all(0 < (folder / "images" / name).stat().st_size < 60_000 for name in wanted)
