"""Libyan IBANs: `LY`, 2 check digits, 3 of the bank, 3 of the branch, 15 of the account."""

import re

_SHAPE = re.compile(r"LY[0-9]{23}")
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_L, _Y = 21, 34  # letters count from A = 10


def normalise_iban(text: str) -> str | None:
    """The IBAN without spaces, in capitals and Latin digits; None if it is not a Libyan one.

    Source: ISO 13616; the check is the remainder by 97 (ISO 7064).
    """
    bare = "".join(text.split()).translate(_DIGITS).upper()
    if not _SHAPE.fullmatch(bare):
        return None
    return bare if int(f"{bare[4:]}{_L}{_Y}{bare[2:4]}") % 97 == 1 else None


def masked(iban: str) -> str:
    """What mails and the audit trail may show of it."""
    return f"{iban[:4]}…{iban[-4:]}"
