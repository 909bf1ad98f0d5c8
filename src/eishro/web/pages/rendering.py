"""Templates, languages, amounts and policies that all pages share.

Arabic comes first: it is the language wherever nothing else is asked for.
"""

import functools
import re
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import jinja2
import msgspec

from eishro.addresses import origin_of
from eishro.errors import Words
from eishro.money import EXPONENTS
from eishro.web.pages.assets import asset_address

Language = Literal["ar", "en"]

LIBYA = ZoneInfo("Africa/Tripoli")

_CURRENCY_NAMES = {
    "LYD": Words("Libyan dinars", "دينار ليبي"),
    "USD": Words("US dollars", "دولار أمريكي"),
}

_ARABIC = re.compile("[\u0621-\u064a]")
_NONCE = re.compile(r"[A-Za-z0-9+/_-]{8,128}={0,2}")
# Inside <script> a JSON text must hold nothing that HTML reads; U+2028 and U+2029 end lines in
# old JavaScript.
_JSON_ESCAPES = str.maketrans({c: f"\\u{ord(c):04x}" for c in ("<", ">", "&", "\u2028", "\u2029")})


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eishro.web.pages", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset_address
    environment.globals["is_arabic"] = _is_arabic
    return environment


def _is_arabic(text: str) -> bool:
    """Such a name is marked in an English page, where a voice would spell it letter by letter; an
    Arabic voice takes Latin letters as they are.
    """
    return _ARABIC.search(text) is not None


def render(template: str, **values: object) -> bytes:
    """A template of this package as UTF-8; every value is escaped."""
    return _environment().get_template(template).render(**values).encode()


def as_language(language: str) -> Language:
    """English where it is named, else Arabic."""
    return "en" if language == "en" else "ar"


def json_for_html(value: object) -> str:
    """A value as JSON that is safe inside a `<script>` element, whatever its texts hold."""
    return msgspec.json.encode(value).decode().translate(_JSON_ESCAPES)


def amount_text(amount: int, currency: str) -> str:
    """Minor units as people read them: 1234500 dirhams are `1,234.500`.

    LYD always shows its three decimals; a currency without an entry in the table is taken to
    have two.
    """
    decimals = EXPONENTS.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**decimals)
    return f"{'-' if amount < 0 else ''}{whole:,}.{rest:0{decimals}d}"


def currency_text(currency: str, language: Language) -> str:
    """How a currency is written behind (Arabic) or before (English) an amount."""
    return "د.ل" if currency == "LYD" and language == "ar" else currency


def currency_name(currency: str, language: Language) -> str:
    """What a voice says for it: of `د.ل` some make a doctor, and of `LYD` a word."""
    words = _CURRENCY_NAMES.get(currency)
    return currency if words is None else words.in_(language)


def time_text(at: datetime) -> str:
    """An instant as the clock on a Libyan wall shows it: `2026-01-31 14:05`."""
    return at.astimezone(LIBYA).strftime("%Y-%m-%d %H:%M")


def web_address(address: str | None) -> str | None:
    """The address if it is absolute http or https, else None: no `javascript:` in a link."""
    if address is None:
        return None
    return address if origin_of(address) is not None else None


def check_nonce(nonce: str) -> str:
    """The nonce itself.

    Raises:
        ValueError: it is not 8 to 128 characters of base64, as a policy demands.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 8 to 128 characters of base64")
    return nonce
