"""Reading and writing what gateways speak over JSON: bounded, exact, never raising. Pure."""

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from eishro.money import DIRHAMS_MAX, EXPONENTS
from eishro.phones import COUNTRY

TEXT_MAX = 200  # characters of a value that are looked at
BODY_BYTES_MAX = 200_000
FIELDS_MAX = 100
URL_LENGTH_MAX = 2_000

_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}", re.ASCII)
# Six digits and more, in one piece or in groups, may be a phone, a card or a code.
_LONG_NUMBER = re.compile(r"\+?\d(?:[ -]?\d){5,}", re.ASCII)
_MOBILE = re.compile(r"9[1-6]\d{7}", re.ASCII)


def read_object(
    body: bytes, number: Callable[[str], object] = str, *, bytes_max: int = BODY_BYTES_MAX
) -> dict[str, Any] | None:
    """A JSON object, decimals as the text that stood there (made a `number`); None for anything
    else, such as one that says a member twice.
    """
    if len(body) > bytes_max:
        return None
    try:
        found = strict_decoder(number).decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def strict_decoder(number: Callable[[str], object]) -> json.JSONDecoder:
    """Reads JSON and nothing else: no constants of JavaScript, no member that is said twice."""
    return json.JSONDecoder(
        parse_float=number, parse_constant=_refuse_constant, object_pairs_hook=once_each
    )


def is_down(status: int) -> bool:
    """True for an answer of a gateway that does not answer now: down, or with too much to do."""
    return status >= 500 or status in (408, 425, 429)


def read_fields(body: bytes) -> dict[str, str] | None:
    """The simple members of a JSON object, or of a form if it does not begin like JSON."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        found = read_object(body)
        if found is None or len(found) > FIELDS_MAX:
            return None
        return {name: text_of(value) for name, value in found.items()}
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        return {name: text_of(value) for name, value in once_each(pairs).items()}
    except ValueError:
        return None


def text_of(value: object) -> str:
    """A text or number as bounded text; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()[:TEXT_MAX]


def id_of(value: object) -> str | None:
    """A gateway's id, None where it can be none."""
    text = text_of(value)
    return text if _ID.fullmatch(text) else None


def minor_of(text: str, exponent: int) -> int | None:
    """A decimal amount in minor units (`25.50` with exponent 3 is 25500); None where it is no exact
    amount.
    """
    if not _AMOUNT.fullmatch(text):
        return None
    minor = Decimal(text).scaleb(exponent)
    is_whole = minor == minor.to_integral_value()
    return int(minor) if is_whole and 0 < minor <= DIRHAMS_MAX else None


def dirhams_of(value: object) -> int | None:
    """Dinars as a decimal (`25.50`, 25.5) in dirhams; None where it is no exact amount."""
    return minor_of(text_of(value), EXPONENTS["LYD"])


def amount_text(minor: int, exponent: int) -> str:
    """An amount in minor units as gateways take it, two decimals (25500 dirhams are `25.50`).

    Raises:
        ValueError: it needs more.
    """
    hundredths, rest = divmod(minor, 10 ** (exponent - 2))
    if minor <= 0 or rest:
        raise ValueError("the amount has more than two decimals")
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def dinars_text(dirhams: int) -> str:
    """The same for dirhams.

    Raises:
        ValueError: it needs a third decimal.
    """
    return amount_text(dirhams, EXPONENTS["LYD"])


def is_same(expected: str, shown: object) -> bool:
    """Compare a signature or secret in constant time; whatever is no text is another one."""
    if not isinstance(shown, str):
        return False
    return hmac.compare_digest(expected.encode(), shown.encode("utf-8", "replace"))


def national_mobile(number: str | None) -> str | None:
    """A Libyan mobile number's nine digits (`912345678`) of its E.164 form, None for others."""
    if number is None or not number.startswith(COUNTRY):
        return None
    digits = number.removeprefix(COUNTRY)
    return digits if _MOBILE.fullmatch(digits) else None


def is_page(url: str, base_url: str) -> bool:
    """True for an absolute https address without credentials; plain http only where the gateway
    itself is spoken to that way at the same place (a simulator).
    """
    if len(url) > URL_LENGTH_MAX or not re.fullmatch(r"[\x21-\x7e]+", url):
        return False
    try:
        parts, own = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return False
    is_own = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    return parts.scheme == "https" or (parts.scheme == "http" and is_own)


def check_url(text: str, field: str) -> str:
    """A gateway's address without a slash at its end.

    Raises:
        ValueError: it is none; names the field.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"{field} must be an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{field} must be an http or https address")
    return text.rstrip("/")


def check_path(text: str, field: str) -> str:
    """A path below a gateway's address, without slashes around it.

    Raises:
        ValueError: it is none; names the field.
    """
    if not re.fullmatch(r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?", text):
        raise ValueError(f"{field} must be a path such as api/pay")
    return text.strip("/")


def check_number(text: str, field: str, least: int, most: int) -> int:
    """A whole number.

    Raises:
        ValueError: it is none, or out of range; names the field.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ValueError(f"{field} must be a number from {least} to {most}")
    return int(text)


def check_header(text: str, field: str) -> str:
    """What goes into a header line.

    Raises:
        ValueError: it cannot; names the field, never its value.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError(f"{field} must be visible ASCII characters without spaces")
    return text


def masked(text: str) -> str:
    """A gateway's text as it may be shown and kept: no long numbers, no control characters."""
    shown = "".join(c for c in text[:TEXT_MAX] if c.isprintable())
    return _LONG_NUMBER.sub("…", shown)


def said_by(body: Mapping[str, Any], *names: str) -> str:
    """The first of these members that is text, masked."""
    for name in names:
        if isinstance(body.get(name), str) and body[name].strip():
            return masked(body[name].strip())
    return ""


def once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object.

    Raises:
        ValueError: one is said twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
