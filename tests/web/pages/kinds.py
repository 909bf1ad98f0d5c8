"""Every kind of thing that a payer may have to do, as the page is told of it."""

from datetime import UTC, datetime, timedelta

import msgspec

from eishro.domain.payments.port import Action, Lightbox, Offline, Otp, PaymentMethod, Redirect
from tests.web.pages.playground import PARAMETERS, Playground

TRANSFER = Offline(
    "",
    {
        "beneficiary": "شركة النخلة",
        "bank": "مصرف الجمهورية",
        "bankEn": "Jumhouria Bank",
        "iban": "LY83002048000020100120361",
        "reference": "K7Q4-M2P9",
        "amount": "25.500",
        "currency": "LYD",
    },
    qr="0002010102120000",
    takes_proof=True,
)
CASH = Offline("ادفع 25.500 د.ل نقدا لمندوب التوصيل.", {"amount": "25.500", "currency": "LYD"})
UNTIL = datetime(2031, 1, 31, 12, 5, tzinfo=UTC)
METHODS = [
    PaymentMethod("moamalat", "lightbox", "معاملات", "Moamalat", "moamalat"),
    PaymentMethod("plutu_mpgs", "redirect", "فيزا", "Visa", "plutu", currency="USD"),
    PaymentMethod("sadad", "otp", "سداد", "Sadad", "sadad", asks=("phone", "birthYear")),
    PaymentMethod("onepay", "otp", "ون باي", "OnePay", "masarat", asks=("card",)),
    PaymentMethod("bank_transfer", "offline", "حوالة", "Transfer", "bank_transfer"),
    PaymentMethod("cod", "offline", "نقدا", "Cash", None),
]


class Kind(msgspec.Struct, frozen=True):
    """One of them: a method of that kind, and the control that does the thing."""

    name: str
    method: str
    control: str | None
    phase: str


KINDS = (
    Kind("lightbox", "moamalat", "pay", "ready_lightbox"),
    Kind("redirect", "tlync", "go", "ready_redirect"),
    Kind("otp", "edfali", "code", "ready_otp"),
    Kind("transfer", "lypay_qr", "senderName", "ready_offline"),
    Kind("cash", "cod", None, "ready_offline"),
)


def set_out(place: Playground, kind: Kind) -> Playground:
    """The shop with a payment of this kind that waits for its payer."""
    now = datetime.now(UTC)
    code = Otp(4, "091****678", now + timedelta(minutes=5), now + timedelta(seconds=50))
    actions: dict[str, Action] = {
        "lightbox": Lightbox(f"{place.gateway}/js/lightbox.js", PARAMETERS),
        "redirect": Redirect(f"{place.gateway}/frame"),
        "otp": code,
        "transfer": TRANSFER,
        "cash": CASH,
    }
    place.expires_at = None if kind.name == "cash" else UNTIL
    place.method, place.action, place.methods = kind.method, actions[kind.name], METHODS
    return place
