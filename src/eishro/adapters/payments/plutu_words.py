"""What Plutu's refusals mean for a payer, in both languages. Pure."""

from collections.abc import Mapping

from eishro.adapters.payments.plutu_reading import Meaning, Refusal
from eishro.domain.payments.port import ProviderBusy, ProviderRefused
from eishro.errors import Invalid, ShopError, Words

PHONE_MISSING = Words("is needed to pay this way", "مطلوب لهذه الطريقة")
PHONE_OF_SADAD = Words(
    "is not an Almadar mobile number (091 or 093)", "ليس رقم هاتف من المدار (091 أو 093)"
)
PHONE_LIBYAN = Words("is not a Libyan mobile number", "ليس رقم هاتف محمول ليبي")
PHONE_REFUSED = Words("is not registered with this payment service", "غير مسجل لدى خدمة الدفع هذه")
BIRTH_YEAR_MISSING = Words("is needed to pay this way", "مطلوبة لهذه الطريقة")
BIRTH_YEAR_REFUSED = Words("does not belong to this phone number", "لا تطابق صاحب رقم الهاتف هذا")
BIRTH_YEAR_PHONE = Words("does not fit this year of birth", "لا يطابق سنة الميلاد هذه")
WAIT = Words(
    "A code was sent a moment ago; please wait a little before asking for another.",
    "أُرسل رمز قبل لحظات؛ يرجى الانتظار قليلا قبل طلب رمز آخر.",
)
AMOUNT = Words("This amount cannot be paid this way.", "لا يمكن دفع هذا المبلغ بهذه الطريقة.")
BALANCE = Words("The balance does not suffice.", "الرصيد غير كاف.")
PAYER = Words(
    "The payment service refuses this account; please ask your bank.",
    "رفضت خدمة الدفع هذا الحساب؛ يرجى مراجعة مصرفك.",
)
CLOSED = Words(
    "This way to pay is not available at the moment.", "طريقة الدفع هذه غير متاحة حاليا."
)

_REFUSED: Mapping[Meaning, Words] = {
    "amount": AMOUNT,
    "balance": BALANCE,
    "payer": PAYER,
    "merchant": CLOSED,
}
_FAULTS: Mapping[Meaning, Mapping[str, Words]] = {
    "phone": {"phone": PHONE_REFUSED},
    "birth_year": {"birthYear": BIRTH_YEAR_REFUSED},
    "phone_or_birth_year": {"phone": BIRTH_YEAR_PHONE, "birthYear": BIRTH_YEAR_REFUSED},
}
_FIELDS: Mapping[str, tuple[str, Words]] = {
    "mobile_number": ("phone", PHONE_REFUSED),
    "birth_year": ("birthYear", BIRTH_YEAR_REFUSED),
}


class WaitBeforeResend(ProviderRefused):
    """A code was sent a moment ago."""


def refusal_error(refusal: Refusal) -> ShopError:
    """The error for a call that charges nothing: a fault of the payer's fields where they are
    meant, a refusal where trying again does not help, else that the gateway is busy.
    """
    meaning = refusal.meaning
    if meaning == "wait":
        return WaitBeforeResend(WAIT)
    named = {
        _FIELDS[name][0]: _FIELDS[name][1] for name in sorted(refusal.fields) if name in _FIELDS
    }
    faults = _FAULTS.get(meaning) or (named if refusal.code == "INVALID_INPUTS" else None)
    if faults:
        return Invalid(faults)
    if meaning in _REFUSED:
        return ProviderRefused(_REFUSED[meaning])
    return ProviderBusy()
