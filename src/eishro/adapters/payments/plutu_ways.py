"""The gateways of a Plutu account, and what each wants to know of a payer. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from eishro.adapters.payments.plutu_words import (
    BIRTH_YEAR_MISSING,
    BIRTH_YEAR_REFUSED,
    PHONE_LIBYAN,
    PHONE_MISSING,
    PHONE_OF_SADAD,
)
from eishro.clock import TRIPOLI
from eishro.domain.payments.port import Payer
from eishro.errors import Invalid, Words
from eishro.phones import COUNTRY

BIRTH_YEAR_MIN = 1940
PAYER_AGE_MIN = 12


class Way(NamedTuple):
    """One of the account's gateways; `code_length` 0 sends the payer to a page."""

    gateway: str
    code_length: int = 0
    phone: re.Pattern[str] | None = None
    phone_words: Words = PHONE_LIBYAN
    asks_birth_year: bool = False


_TLYNC = Way("tlync", phone=re.compile(r"09[0-9]{8}"))
WAYS: Mapping[str, Way] = {
    "plutu_cards": Way("localbankcards"),
    "plutu_mpgs": Way("mpgs"),
    "plutu_tlync": _TLYNC,
    "mobicash": _TLYNC,  # a choice on the same page
    "plutu_sadad": Way(
        "sadadapi",
        code_length=6,
        phone=re.compile(r"09[13][0-9]{7}"),
        phone_words=PHONE_OF_SADAD,
        asks_birth_year=True,
    ),
    "plutu_edfali": Way("edfali", code_length=4, phone=re.compile(r"09[1-6][0-9]{7}")),
}


def payer_fields(way: Way, payer: Payer, now: datetime) -> dict[str, str]:
    """What the gateway wants to know of the payer, in its own names and forms.

    Raises:
        Invalid: all that is missing or wrong, at once.
    """
    faults: dict[str, Words] = {}
    fields: dict[str, str] = {}
    if way.phone is not None:
        number = payer.phone or ""
        national = "0" + number.removeprefix(COUNTRY) if number.startswith(COUNTRY) else ""
        if way.phone.fullmatch(national):
            fields["mobile_number"] = national
        else:
            faults["phone"] = way.phone_words if number else PHONE_MISSING
    if way.asks_birth_year:
        year = payer.birth_year
        latest = now.astimezone(TRIPOLI).year - PAYER_AGE_MIN
        if year is None:
            faults["birthYear"] = BIRTH_YEAR_MISSING
        elif BIRTH_YEAR_MIN <= year <= latest:
            fields["birth_year"] = str(year)
        else:
            faults["birthYear"] = BIRTH_YEAR_REFUSED
    if faults:
        raise Invalid(faults)
    return fields
