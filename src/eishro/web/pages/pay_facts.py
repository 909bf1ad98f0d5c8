"""Facts of a transfer one by one, as people read them and as they copy them; the code to scan."""

import msgspec

from eishro.domain.payments.port import Offline
from eishro.errors import Words
from eishro.web.pages.rendering import Language, currency_name

# In the order in which banks ask for them.
FACTS: dict[str, Words] = {
    "beneficiary": Words("Beneficiary", "المستفيد"),
    "bank": Words("Bank", "المصرف"),
    "iban": Words("IBAN", "رقم الآيبان (IBAN)"),
    "accountNumber": Words("Account number", "رقم الحساب"),
    "alias": Words("LYPay name", "اسم LYPay"),
    "amount": Words("Exact amount", "المبلغ بالضبط"),
    "reference": Words("Reference (write it on the transfer)", "المرجع (اكتبه في بيان التحويل)"),
}
_CODES = ("iban", "accountNumber", "alias", "reference")
_ACCOUNT = ("beneficiary", "iban", "accountNumber", "alias", "reference")
# Told elsewhere on the page: the bank in the other language, the unit of the amount, a warning.
_NOT_SHOWN = ("bankEn", "currency", "accountIsUnchecked")


class Fact(msgspec.Struct, frozen=True):
    """One row; `copy` is the text that a bank's form takes, `is_code` runs from left to right."""

    label: str
    text: str
    copy: str
    is_code: bool


def facts_of(action: Offline, language: Language) -> list[Fact]:
    """The facts of this transfer; those that nobody here knows come last, under their own names.
    None where there is nothing to transfer to, as with cash.
    """
    details = action.details
    if not any(name in details for name in _ACCOUNT):
        return []
    names = [name for name in FACTS if name in details]
    names += [name for name in details if name not in FACTS and name not in _NOT_SHOWN]
    return [_fact(name, details, language) for name in names]


def _fact(name: str, details: dict[str, str], language: Language) -> Fact:
    value = details[name]
    if name == "bank" and language == "en":
        value = details.get("bankEn", value)
    text = value
    if name == "iban":
        text = " ".join(value[i : i + 4] for i in range(0, len(value), 4))
    if name == "amount":
        text = f"{value} {currency_name(details.get('currency', ''), language)}".strip()
    label = FACTS.get(name, Words(name, name)).in_(language)
    return Fact(label, text, value, name in _CODES)


def qr_picture(text: str) -> str | None:
    """The code as a picture that needs no other address; None where the text is too long."""
    import segno

    try:
        code = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        return None
    # A PNG: it can be saved, and bank apps read it from a telephone's pictures.
    return code.png_data_uri(scale=8, border=4)
