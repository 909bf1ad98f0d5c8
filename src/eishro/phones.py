"""Telephone numbers: as typed in Libya, stored as E.164 (`+218912345678`).

Mobile numbers, nearly all there are, are recognised by one expression: 9 digits that begin
with 91 to 96 (Al-Madar 091 and 093, Libyana 092 and 094, LTT 095 and 096). Everything else is
decided by `phonenumberslite`, which is loaded only when such a number comes.
"""

import re

from eishro.text import fold_digits, strip_marks

TEXT_LENGTH_MAX = 40  # longer input is no telephone number
COUNTRY = "+218"

_NOT_DIGITS = re.compile(r"[^0-9]+")
_MOBILE = re.compile(r"9[1-6][0-9]{7}")
# Tobruk's area code is in use, but the numbering data of the library calls it invalid.
_TOBRUK = re.compile(r"87[0-9]{7}")
_NATIONAL_LENGTH = 9


def normalise_mobile(text: str) -> str | None:
    """A Libyan mobile number as E.164, or None if it is not one.

    Takes any common spelling: spaces, hyphens, Arabic-Indic digits, `0`, `218`, `00218` or
    `+218` in front, also `+218091…`.
    """
    digits = _digits(text)
    return _libyan(_MOBILE, digits) if digits else None


def normalise_phone(text: str) -> str | None:
    """Any valid telephone number as E.164, or None; without a country code it is Libyan."""
    digits = _digits(text)
    if not digits:
        return None
    libyan = _libyan(_MOBILE, digits) or _libyan(_TOBRUK, digits)
    return libyan or _decided_by_library(digits)


def display_phone(number: str) -> str:
    """An E.164 number as people write it: `091-2345678` for a Libyan one, others unchanged."""
    if not number.startswith(COUNTRY):
        return number
    national = number.removeprefix(COUNTRY)
    return f"0{national[:2]}-{national[2:]}"


def mask_phone(number: str) -> str:
    """A number that its owner recognises and nobody else can call: `091•••••78`."""
    shown = display_phone(number).replace("-", "")
    if len(shown) < _NATIONAL_LENGTH:
        return "•" * len(shown)
    return shown[:3] + "•" * (len(shown) - 5) + shown[-2:]


def _digits(text: str) -> str | None:
    """ASCII digits, with a leading `+` when the number says that it is international."""
    if len(text) > TEXT_LENGTH_MAX:
        return None
    folded = fold_digits(strip_marks(text)).strip()
    digits = _NOT_DIGITS.sub("", folded)
    if folded.startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def _libyan(national: re.Pattern[str], digits: str) -> str | None:
    rest = digits.removeprefix("+")
    if rest.startswith("218"):
        rest = rest.removeprefix("218")
    elif digits.startswith("+"):
        return None  # another country's number: +91 is India, not the Madar network
    rest = rest.removeprefix("0")
    return COUNTRY + rest if national.fullmatch(rest) else None


def _decided_by_library(digits: str) -> str | None:
    import phonenumbers  # heavy, and hardly ever needed

    try:
        number = phonenumbers.parse(digits, "LY")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
