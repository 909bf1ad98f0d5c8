"""Payments by bank transfer as values: whose account, which reference, what a payer shows. Pure.

The payer writes a short reference on the transfer; its last character checks the others. The bank
knows the transfer by a reference of its own, which pays once for each account.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime

import msgspec

from eishro.errors import Conflict, Invalid, NotFound, Words
from eishro.text import normalise

# No look-alikes (0/O/D/Q, 1/I/L, 2/Z, 5/S, 8/B, U/V) and no I, O or U to spell words with. 23 is
# prime, so that one wrong character, or two that changed places, are always noticed.
ALPHABET = "34679ACEFGHJKMNPRTVWXYZ"
_VALUE: Mapping[str, int] = {character: value for value, character in enumerate(ALPHABET)}
BODY_LENGTH = 8  # seventy thousand million references
REFERENCE_LENGTH = BODY_LENGTH + 1
_ONE = rf"[{ALPHABET}]"
_GROUPED = re.compile(rf"(?<![A-Z0-9])(?:{_ONE}[ .-]?){{{BODY_LENGTH}}}{_ONE}(?![A-Z0-9])")

BANK_REFERENCE_LENGTH_MAX = 60
ACCOUNT_LENGTH_MAX = 40
PROOFS_MAX = 5  # of one payment
PROVIDER = "bank_transfer"  # what its payments are kept under, whichever way the payer sends


class Beneficiary(msgspec.Struct, frozen=True, kw_only=True):
    """The account that a store's buyers transfer to. `bank` is an id of `banks.py` or a name.

    `iban` is a checked Libyan one; `account_number` is an older number as the bank writes it, which
    nobody can check. `alias` is the store's at LYPay. `latin_name` and `institution` (such as
    `002 - Wahda Bank`) stand in a code to scan.
    """

    name: str
    bank: str
    iban: str | None = None
    account_number: str | None = None
    alias: str | None = None
    latin_name: str | None = None
    institution: str | None = None

    @property
    def account(self) -> str:
        """What tells this account from every other: references are unique within it."""
        if self.iban is not None:
            return self.iban
        return f"{self.bank}:{account_form(self.account_number or self.alias or '')}"

    @property
    def takes_scans(self) -> bool:
        """True where a code to scan can name it."""
        return self.iban is not None or self.alias is not None


class Proof(msgspec.Struct, frozen=True):
    """What a payer shows of a transfer: unproven, and seen by the store's people alone.

    `file_key` is the picture's place in the private files; `sent_on` a day such as `2026-01-15`.
    """

    id: str
    store_id: int
    payment_id: str
    sender_name: str
    bank: str
    sent_on: str
    bank_reference: str
    file_key: str | None
    file_type: str | None
    created_at: datetime


class ProofNotFound(NotFound):
    """The payment has no such proof."""

    words = Words("There is no such proof of payment.", "لا يوجد إثبات دفع كهذا.")


class NotByTransfer(Conflict):
    """The payment was not to be made by transfer."""

    words = Words(
        "This payment is not made by bank transfer.", "عملية الدفع هذه ليست بتحويل مصرفي."
    )


class TransferSettled(Conflict):
    """The money is there already."""

    words = Words("This payment is settled already.", "تمت تسوية عملية الدفع هذه بالفعل.")


class TooManyProofs(Conflict):
    """The payer has shown enough; people have to look."""

    words = Words(
        "Enough proofs were sent; the shop will look at them.",
        "تم إرسال إثباتات كافية؛ سيراجعها المتجر.",
    )


class BankReferenceUsed(Conflict):
    """The bank's reference has paid something else, or another amount."""

    code = "BANK_REFERENCE_USED"
    words = Words(
        "A transfer with this bank reference is booked already.",
        "تم تسجيل تحويل بهذا المرجع المصرفي من قبل.",
    )


class NoAccount(Invalid):
    """The store has named no account to transfer to."""

    def __init__(self, field: str) -> None:
        super().__init__(
            {field: Words("needs an IBAN or an account number", "يتطلب رقم IBAN أو رقم حساب مصرفي")}
        )


class AsksItself(Conflict):
    """The gateway can be asked, so nobody has to decide in its place."""

    code = "GATEWAY_DECIDES"
    words = Words(
        "This gateway is asked itself; only what it answers counts.",
        "تُسأل بوابة الدفع هذه مباشرة؛ ولا يُعتد إلا بجوابها.",
    )


class VerifyInstead(Conflict):
    """Transfers are verified with the bank's reference, not settled by hand."""

    words = Words(
        "Verify the transfer with its amount and bank reference.",
        "تحقق من التحويل بمبلغه ومرجعه المصرفي.",
    )


class NothingUnclear(Conflict):
    """Whether the payment failed is known already, or is for its payer to say."""

    words = Words(
        "Nothing about this payment is unclear.", "لا يوجد ما هو غير واضح في عملية الدفع هذه."
    )


def new_reference() -> str:
    """A random reference with its check character."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(BODY_LENGTH))
    return body + _check(body)


def _check(body: str) -> str:
    """The character that makes the weighted sum a multiple of 23."""
    total = sum(weight * _VALUE[character] for weight, character in enumerate(body, 2))
    return ALPHABET[-total % len(ALPHABET)]


def is_reference(text: str) -> bool:
    """True for characters of the alphabet whose last one fits the others."""
    if len(text) != REFERENCE_LENGTH or any(character not in _VALUE for character in text):
        return False
    return _check(text[:-1]) == text[-1]


def shown_reference(reference: str) -> str:
    """In groups of three, easier to read and to type."""
    return "-".join(reference[first : first + 3] for first in range(0, len(reference), 3))


def references_in(text: str) -> list[str]:
    """Every well-formed reference in a bank's text, once each, in their order; digits of any
    script, small letters, and dashes or spaces between groups are welcome.
    """
    folded = normalise(text).upper()
    found = []
    # Looked for from every place: a word before it may hold characters of the alphabet, too.
    for start in range(len(folded)):
        match = _GROUPED.match(folded, start)
        bare = re.sub(r"[ .-]", "", match[0]) if match else ""
        if is_reference(bare) and bare not in found:
            found.append(bare)
    return found


def bank_reference_form(text: str) -> str:
    """The form in which two spellings of a bank's reference are equal: capitals, Latin digits, no
    spaces and signs between; empty if nothing is left.
    """
    return "".join(c for c in normalise(text).upper() if c.isalnum())[:BANK_REFERENCE_LENGTH_MAX]


def account_form(text: str) -> str:
    """The same for an account number."""
    return "".join(c for c in normalise(text).upper() if c.isalnum())[:ACCOUNT_LENGTH_MAX]
