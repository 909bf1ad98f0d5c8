"""LYPay (the Central Bank's instant payment): the code that a merchant shows, as text.

Papers: the NUMO QR page of the Central Bank's developer portal and EMVCo's merchant-presented mode,
read 2026-11. Tags 00, 01 and 27 to 31 are NUMO's; 53, 54, 58, 62 and 63 are EMVCo's and were not
seen in a NUMO sample, so a bank has to confirm the code before real use. Merchants have no API: the
money is matched like any other transfer (`bank_transfer.py`).
"""

import binascii

from eishro.domain.payments.transfers import Beneficiary
from eishro.money import LYD_NUMERIC, decimal_from_dirhams

_VERSION, _DYNAMIC, _COUNTRY = "01", "12", "LY"
VALUE_LENGTH_MAX = 99
NAME_LENGTH_MAX = 25  # as EMVCo has it for a merchant's name


class NoCode(ValueError):
    """The account cannot be named in a code."""


def crc16(text: str) -> str:
    """CRC-16/CCITT-FALSE of the text's bytes, 4 upper hex digits."""
    return f"{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def payload(beneficiary: Beneficiary, dirhams: int, reference: str | None = None) -> str:
    """The text of a code for one payment of this amount; it ends with its check sum.

    Raises:
        NoCode: the account has neither IBAN nor alias.
    """
    if not beneficiary.takes_scans:
        raise NoCode("the account has neither IBAN nor alias")
    name = _latin(beneficiary.latin_name) or _latin(beneficiary.name) or "Merchant"
    scheme = "IBAN" if beneficiary.iban else "Alias"
    fields = [
        ("00", _VERSION),
        ("01", _DYNAMIC),
        ("27", name[:NAME_LENGTH_MAX]),
        ("28", scheme),
        ("29", beneficiary.iban or beneficiary.alias or ""),
    ]
    if institution := _latin(beneficiary.institution):
        fields.append(("30", institution))
    fields += [
        ("53", LYD_NUMERIC),
        ("54", str(decimal_from_dirhams(dirhams))),
        ("58", _COUNTRY),
    ]
    if reference is not None:
        fields.append(("62", _field("05", reference)))
    body = "".join(_field(tag, value) for tag, value in fields) + "6304"
    return body + crc16(body)


def fields_of(text: str) -> dict[str, str]:
    """Tags and values of a code, in their order.

    Raises:
        ValueError: no such code, or its check sum does not fit.
    """
    if not text.isascii() or crc16(text[:-4]) != text[-4:]:
        raise ValueError("the check sum does not fit")
    found, place = {}, 0
    while place < len(text):
        tag, length = text[place : place + 2], text[place + 2 : place + 4]
        if not length.isdigit() or place + 4 + int(length) > len(text):
            raise ValueError("a field is longer than the code")
        found[tag] = text[place + 4 : place + 4 + int(length)]
        place += 4 + int(length)
    return found


def _field(tag: str, value: str) -> str:
    if len(value) > VALUE_LENGTH_MAX:
        raise NoCode(f"the value of {tag} is too long")
    return f"{tag}{len(value):02d}{value}"


def _latin(text: str | None) -> str:
    """Printable ASCII as it is, anything else not at all: lengths count characters, and readers
    disagree about those of other scripts.
    """
    text = (text or "").strip()
    return text[:VALUE_LENGTH_MAX] if text.isascii() and text.isprintable() else ""
