"""What people write into tables: amounts and days, in the digits of any script. Never rounded."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation

from eishro.money import dirhams_from_decimal
from eishro.text import normalise

_CURRENCY = re.compile(r"(lyd|د\.?\s?ل\.?|دينار)", re.IGNORECASE)
# A comma alone may mean thousands or decimals (of which there are three here), so it is refused.
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,15})?|\d{1,3}(?:,\d{3}){1,3}\.\d{1,15}")
_ISO_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[t ].*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[t ].*)?")


def read_amount(text: str) -> int | None:
    """An amount as people write it, in dirhams; None if it is none."""
    folded = _CURRENCY.sub("", normalise(text)).replace(" ", "")
    if not _AMOUNT.fullmatch(folded):
        return None
    try:
        return dirhams_from_decimal(Decimal(folded.replace(",", "")))
    except (ValueError, InvalidOperation):
        return None


def read_date(text: str) -> str | None:
    """A day, year first or day first, as `2026-01-15`; None if it is none."""
    folded = normalise(text)
    if found := _ISO_DATE.fullmatch(folded):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(folded):
        day, month, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
