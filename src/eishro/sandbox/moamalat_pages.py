"""The simulator's pages: `lightbox.js`, and the card form that stands in its frame."""

import functools
import html
import json
from collections.abc import Mapping
from importlib import resources
from string import Template
from urllib.parse import urlsplit

from eishro.errors import Words
from eishro.sandbox.moamalat_cards import CARDS, OTP

# Scripts and styles come from the simulator's own origin alone. A gateway's frame is opened by
# merchants' pages, so whoever likes may frame it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *"
)
HTML = "text/html; charset=utf-8"
STATIC = {
    "lightbox.js": "text/javascript; charset=utf-8",
    "form.js": "text/javascript; charset=utf-8",
    "form.css": "text/css; charset=utf-8",
}

_WORDS = {
    "title": Words("Moamalat gateway (simulator)", "بوابة معاملات (محاكاة)"),
    "amount_label": Words("Amount", "المبلغ"),
    "pan_label": Words("Card number", "رقم البطاقة"),
    "expiry_label": Words("Expiry (month/year)", "تاريخ الانتهاء (شهر/سنة)"),
    "otp_label": Words("One-time code", "رمز التحقق"),
    "continue_label": Words("Continue", "متابعة"),
    "pay_label": Words("Pay", "ادفع"),
    "cancel_label": Words("Cancel", "إلغاء"),
    "hint": Words(
        f"No money moves here. The one-time code is {OTP}.",
        f"لا تتحرك أي أموال هنا. رمز التحقق هو {OTP}.",
    ),
}
_NOTICES = {
    "sending": Words("One moment…", "لحظة من فضلك…"),
    "paid": Words("Payment approved.", "تمت الموافقة على الدفع."),
    "offline": Words("No connection; please try again.", "لا يوجد اتصال؛ يرجى المحاولة ثانية."),
    "close": Words("Close", "إغلاق"),
}


@functools.cache
def static_file(name: str) -> bytes:
    """A file of the simulator by its name in `STATIC` (or the form's template)."""
    return (resources.files(__package__) / "moamalat_static" / name).read_bytes()


def form_page(parameters: Mapping[str, str], refused: str | None) -> bytes:
    """The card form as UTF-8 HTML.

    Args:
        parameters: the lightbox's six values, `opener` (the origin that is told the outcome) and
            `lang` (`en`, anything else is Arabic).
        refused: what the gateway says against the request; the form then stays closed.
    """
    language = "en" if parameters.get("lang") == "en" else "ar"
    amount = parameters.get("AmountTrxn", "")
    dirhams = int(amount) if refused is None else 0
    card = next(iter(CARDS))
    given = {
        "request": {
            name: parameters.get(name, "")
            for name in (
                "MID",
                "TID",
                "AmountTrxn",
                "MerchantReference",
                "TrxDateTime",
                "SecureHash",
            )
        },
        "opener": _origin(parameters.get("opener", "")),
        "refused": refused,
        "card": card,
        "expiry": CARDS[card][-1],
        "words": {name: words.in_(language) for name, words in _NOTICES.items()},
    }
    page = Template(static_file("form.html").decode()).substitute(
        {name: html.escape(words.in_(language)) for name, words in _WORDS.items()},
        language=language,
        direction="ltr" if language == "en" else "rtl",
        amount=f"{dirhams // 1000}.{dirhams % 1000:03d}" if refused is None else "–",
        given=_json_in_html(given),
    )
    return page.encode()


def _origin(address: str) -> str:
    """The opener's origin; of anything else nobody is told (`/` is the form's own origin)."""
    parts = urlsplit(address)
    is_web = parts.scheme in ("http", "https") and parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if is_web else "/"


def _json_in_html(value: object) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
