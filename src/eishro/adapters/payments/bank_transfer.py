"""Bank transfers, by hand or by scanning a LYPay code: instructions, and nobody to ask.

The payer transfers the exact amount with a short reference; the store's people verify what came,
or their bank's statement does (`flows/verify_transfer.py`, `flows/import_statement.py`). Both
methods are one provider: the money comes into one account, where a bank reference counts once.
The account is the store's own (settings) or the platform's (`EISHRO_BANK_TRANSFER_…`).
"""

from collections.abc import Mapping

from eishro.adapters.payments import lypay_qr
from eishro.adapters.payments.defaults import Defaults
from eishro.domain.payments.banks import bank_words
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Intent,
    Offline,
    PaymentMethod,
    ProviderBusy,
    RefundAnswer,
    RefundIntent,
    RefundManual,
    Started,
)
from eishro.domain.payments.transfers import PROVIDER, Beneficiary, shown_reference
from eishro.errors import Words
from eishro.money import decimal_from_dirhams

LYPAY = "lypay_qr"
# What the Central Bank is reported to let a person pay to merchants in a day.
LYPAY_DIRHAMS_MAX = 500_000_000
_DEMO_IBAN = "LY83002048000020100120361"  # of the standard's own example; nobody's account

_TRANSFER = Words(
    "Transfer exactly {amount} LYD to {name} at {bank}, account {account}, and write the "
    "reference {reference} on the transfer. Then send the proof of it here.",
    "حوّل مبلغ {amount} د.ل بالضبط إلى {name} لدى {bank}، الحساب {account}، واكتب المرجع "
    "{reference} في بيان التحويل، ثم أرسل إثبات التحويل هنا.",
)
_SCAN = Words(
    "Scan the code with your bank's app, pay exactly {amount} LYD to {name}, and check that the "
    "reference is {reference}. Then send the proof of it here.",
    "امسح الرمز بتطبيق مصرفك وادفع {amount} د.ل بالضبط إلى {name}، وتأكد من أن المرجع هو "
    "{reference}، ثم أرسل إثبات الدفع هنا.",
)


class BankTransfer(Defaults):
    """The `PaymentProvider` of transfers; it keeps nothing and sends nothing."""

    name = PROVIDER

    async def start(self, intent: Intent) -> Started:
        """Where to, how much, and with which reference.

        Raises:
            ProviderBusy: there is no account, or none that a code can name.
        """
        to = intent.beneficiary
        if to is None:
            raise ProviderBusy()
        details = _details(to, intent)
        code = None
        if intent.method == LYPAY:
            try:
                code = lypay_qr.payload(to, intent.amount_dirhams, intent.reference)
            except lypay_qr.NoCode as error:
                raise ProviderBusy() from error
        words = (_SCAN if code else _TRANSFER).in_(intent.language)
        account = details.get("iban") or details.get("accountNumber") or details.get("alias", "")
        bank = bank_words(to.bank).in_(intent.language)
        text = words.format(
            amount=details["amount"],
            name=to.name,
            bank=bank,
            account=account,
            reference=details["reference"],
        )
        return Started(
            Offline(text, details=details, qr=code, takes_proof=True), {"account": to.account}
        )

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """Somebody transfers it back."""
        del wanted
        return RefundManual("a transfer is given back by transfer")


def _details(to: Beneficiary, intent: Intent) -> dict[str, str]:
    bank = bank_words(to.bank)
    found = {
        "beneficiary": to.name,
        "bank": bank.ar,
        "bankEn": bank.en,
        "iban": to.iban,
        "accountNumber": to.account_number,
        "alias": to.alias if intent.method == LYPAY else None,
        "reference": shown_reference(intent.reference),
        "amount": str(decimal_from_dirhams(intent.amount_dirhams)),
        "currency": "LYD",
    }
    if to.iban is None and to.account_number is not None:
        found["accountIsUnchecked"] = "true"  # no check digits tell a wrong number
    return {name: value for name, value in found.items() if value}


def account_of(fields: Mapping[str, str]) -> Beneficiary | None:
    """The platform's own account, from the gateway's fields; None where they name none."""
    given = {name: text for name, text in fields.items() if text}
    if "beneficiary" not in given or not {"iban", "account_number"} & given.keys():
        return None
    return Beneficiary(
        name=given["beneficiary"],
        bank=given.get("bank", ""),
        iban=given.get("iban"),
        account_number=given.get("account_number"),
        alias=given.get("lypay_alias"),
        latin_name=given.get("beneficiary_latin"),
        institution=given.get("institution"),
    )


def _build(fields: Mapping[str, str], tools: Tools) -> BankTransfer:
    del fields, tools  # the account comes with each payment
    return BankTransfer()


GATEWAY = Gateway(
    provider=PROVIDER,
    prefix="BANK_TRANSFER",
    fields=(
        Field(
            name="beneficiary",
            about="Whose account stores without one of their own take transfers at.",
            sandbox="شركة إشرو التجريبية",
            longest=120,
        ),
        Field(
            name="beneficiary_latin",
            about="The same in Latin letters, for codes to scan.",
            sandbox="Eishro Demo",
            longest=25,
        ),
        Field(name="bank", about="Its bank, an id of `GET /api/banks`.", sandbox="wb", longest=120),
        Field(name="iban", about="Its IBAN.", sandbox=_DEMO_IBAN, longest=40),
        Field(name="account_number", about="Its number, where the bank gives no IBAN.", longest=40),
        Field(name="lypay_alias", about="Its alias at LYPay.", longest=60),
        Field(
            name="institution",
            about="The bank as LYPay codes name it, such as `002 - Wahda Bank`.",
            sandbox="002 - Wahda Bank",
            longest=60,
        ),
    ),
    methods=(
        PaymentMethod(
            "bank_transfer",
            "offline",
            "تحويل مصرفي",
            "Bank transfer",
            PROVIDER,
            least_dirhams=1,
            pays_into="account",
        ),
        PaymentMethod(
            LYPAY,
            "offline",
            "لي باي (رمز QR)",
            "LYPay (QR code)",
            PROVIDER,
            least_dirhams=1,
            most_dirhams=LYPAY_DIRHAMS_MAX,
            pays_into="scanned",
        ),
    ),
    build=_build,
    is_always_there=True,
)
