"""The Plutu simulator's pages: where a payer pays, what became of it, and the test data."""

import functools
from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Literal

from eishro.errors import Words
from eishro.sandbox.plutu import Checkout
from eishro.sandbox.plutu_wire import (
    BIRTH_YEAR,
    CARD_CODE,
    CARDS,
    CARDS_REFUSED,
    CODES,
    PHONE,
    PHONE_OF_THE_POOR,
    PHONES_REFUSED,
    WALLETS,
)

# Forms go to the simulator alone; the way back is a link or a refresh, so that no policy for forms
# stands in it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HTML = "text/html; charset=utf-8"
CSS = "text/css; charset=utf-8"

_TITLES: Mapping[str, Words] = {
    "localbankcards": Words("Plutu: bank card (simulator)", "بلوتو: بطاقة مصرفية (محاكاة)"),
    "mpgs": Words("Plutu: Visa or Mastercard (simulator)", "بلوتو: فيزا أو ماستركارد (محاكاة)"),
    "tlync": Words("Plutu: T-Lync (simulator)", "بلوتو: تي لينك (محاكاة)"),
}
_TITLE = Words("Plutu simulator: test data", "محاكي بلوتو: بيانات التجربة")
_AMOUNT = Words("Amount", "المبلغ")
_CARD = Words("Card number", "رقم البطاقة")
_CODE = Words("One-time code", "رمز التحقق")
_WALLET = Words("Pay with", "ادفع عبر")
_PAY = Words("Pay", "ادفع")
_CANCEL = Words("Cancel", "إلغاء")
_BACK = Words("Back to the shop", "العودة إلى المتجر")
_NO_MONEY = Words("No money moves here.", "لا تتحرك أي أموال هنا.")
_WRONG_CODE = Words("The code is wrong.", "رمز التحقق غير صحيح.")
_OUTCOMES: Mapping[str, Words] = {
    "paid": Words("Payment approved.", "تمت الموافقة على الدفع."),
    "declined": Words("Payment declined.", "رُفضت عملية الدفع."),
    "canceled": Words("Payment cancelled.", "أُلغيت عملية الدفع."),
}
_ACCEPTED = Words("accepted", "مقبول")

Language = Literal["ar", "en"]


@functools.cache
def static_file(name: str) -> bytes:
    """A file of the simulator."""
    return (resources.files(__package__) / "plutu_static" / name).read_bytes()


def pay_page(checkout: Checkout, root: str, *, is_wrong_code: bool = False) -> bytes:
    """The form of a page that waits for its payer; `root` is where the simulator stands."""
    language = checkout.language
    fields = (
        _wallets(language)
        if checkout.gateway == "tlync"
        else _card_fields(checkout.gateway, language)
    )
    problem = f'<p class="bad" role="alert">{_say(_WRONG_CODE, language)}</p>'
    content = f"""
<p>{_say(_AMOUNT, language)}: <b dir="ltr">{escape(checkout.amount)} {checkout.currency}</b></p>
{problem if is_wrong_code else ""}
<form method="post">
{fields}
<button class="main" name="do" value="pay">{_say(_PAY, language)}</button>
<button name="do" value="cancel" formnovalidate>{_say(_CANCEL, language)}</button>
</form>
<p class="small">{_say(_NO_MONEY, language)}</p>
"""
    return _page(_TITLES[checkout.gateway], content, root, language)


def outcome_page(checkout: Checkout, address: str, root: str) -> bytes:
    """What became of it, and the way back: for cards by itself, from T-Lync by a press."""
    language = checkout.language
    said = _OUTCOMES[checkout.row.outcome if checkout.row else "canceled"]
    content = f"""
<p role="status">{_say(said, language)}</p>
<p><a class="button main" id="back" href="{escape(address)}">{_say(_BACK, language)}</a></p>
"""
    goes_back = "" if checkout.gateway == "tlync" else address
    return _page(_TITLES[checkout.gateway], content, root, language, goes_back)


def data_page(root: str, language: Language) -> bytes:
    """Phones, cards and codes that the simulator knows."""
    rows = [
        (PHONE, f"{_say(_ACCEPTED, language)}; {BIRTH_YEAR}"),
        *PHONES_REFUSED.items(),
        (PHONE_OF_THE_POOR, "INSUFFICIENT_BALANCE"),
        *((CARDS[name], f"{name}: {_say(_ACCEPTED, language)}") for name in CARDS),
        *((CARDS_REFUSED[name], f"{name}: declined") for name in CARDS_REFUSED),
        *((code, f"{name}: OTP") for name, code in CODES.items()),
        (CARD_CODE, "localbankcards, mpgs: OTP"),
    ]
    table = "".join(
        f'<tr><td dir="ltr">{escape(name)}</td><td dir="ltr">{escape(what)}</td></tr>'
        for name, what in rows
    )
    links = "".join(
        f'<li><a href="{root}/{name}">{name}</a></li>'
        for name in ("faults", "switches", "transactions")
    )
    content = f"<p>{_say(_NO_MONEY, language)}</p><table>{table}</table><ul>{links}</ul>"
    return _page(_TITLE, content, root, language)


def _card_fields(gateway: str, language: Language) -> str:
    return f"""
<label for="card">{_say(_CARD, language)}</label>
<input id="card" name="card" inputmode="numeric" value="{CARDS[gateway]}" required dir="ltr"
  autocomplete="off" maxlength="30">
<p class="small" dir="ltr">{CARDS_REFUSED[gateway]}: declined</p>
<label for="code">{_say(_CODE, language)}</label>
<input id="code" name="code" inputmode="numeric" value="{CARD_CODE}" required dir="ltr"
  autocomplete="one-time-code" maxlength="10">
"""


def _wallets(language: Language) -> str:
    options = "".join(f'<option value="{name}">{name}</option>' for name in WALLETS)
    decline = '<option value="declined">declined</option>'
    return f"""
<label for="wallet">{_say(_WALLET, language)}</label>
<select id="wallet" name="wallet">{options}{decline}</select>
"""


def _page(title: Words, content: str, root: str, language: Language, goes_to: str = "") -> bytes:
    refresh = f'<meta http-equiv="refresh" content="1; url={escape(goes_to)}">\n' if goes_to else ""
    page = Template(static_file("page.html").decode()).substitute(
        language=language,
        direction="ltr" if language == "en" else "rtl",
        title=_say(title, language),
        refresh=refresh,
        root=escape(root),
        content=content,
    )
    return page.encode()


def _say(words: Words, language: Language) -> str:
    return escape(words.in_(language))
