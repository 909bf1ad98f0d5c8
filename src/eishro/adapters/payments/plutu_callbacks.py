"""What Plutu tells by itself: the payer's return from its page, and T-Lync's POST. Pure.

Nothing can be asked afterwards, so what is signed and says the amount is the proof itself.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

import structlog

from eishro.adapters.payments.defaults import FORGED
from eishro.adapters.payments.plutu_reading import (
    REFERENCE,
    SIGNED,
    TLYNC_RETURN,
    amount_of,
    kept,
    read_object,
    signed_body,
    signed_query,
    text_of,
    transaction_of,
)
from eishro.domain.payments.port import Claim, Failed, Intent, Paid, Proof, Receipt
from eishro.domain.payments.rates import worth_of
from eishro.money import EXPONENTS

_LOG = structlog.get_logger("eishro.plutu")

Kind = Literal["sale", "cancelled", "failed", "other"]
_SHOWN: Mapping[str, Kind] = {"1": "sale", "0": "failed"}


class Callbacks:
    """Reads them with one account's secret key; writes receipts of that account."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()
        # The gateway numbers transactions; the account they belong to has no number that we know.
        # Its secret key stands for it: old callbacks count only as long as that does.
        mark = hmac.digest(self._key, b"account", hashlib.sha256).hex()[:12]
        self._terminal = f"plutu-{mark}"

    def of_return(self, intent: Intent, gateway: str, query: Mapping[str, str]) -> Claim:
        """The payer's browser is back: of cards signed and complete, of T-Lync without amount."""
        if gateway not in SIGNED:
            return FORGED
        allowed = TLYNC_RETURN if gateway == "tlync" else SIGNED[gateway]
        if "hashed" not in query and not allowed & set(query):
            return self._claim(intent.reference, "other", {}, authentic="unsigned")
        fields = signed_query(self._key, allowed, query)
        if fields is None or fields.get("invoice_no") != intent.reference:
            return FORGED
        if gateway == "tlync":  # to be shown, not believed
            kind = _SHOWN.get(fields.get("approved", ""), "other")
            return self._claim(intent.reference, kind, fields)
        if fields.get("gateway") != gateway:
            return _doubt(fields, "another gateway")
        return self._outcome(intent, gateway, fields)

    def of_tlync(self, raw_body: bytes) -> Claim:
        """T-Lync's signed POST; the other gateways send none."""
        body = read_object(raw_body)
        signed = signed_body(self._key, SIGNED["tlync"], body) if body else None
        if signed is None:
            return FORGED
        fields, form = signed
        if form == "number":
            _LOG.info("plutu_number_signed", invoice_no=fields.get("invoice_no", "")[:64])
        reference = fields.get("invoice_no", "")
        if fields.get("gateway") != "tlync" or not REFERENCE.fullmatch(reference):
            return _doubt(fields, "another gateway, or no invoice")
        if fields.get("approved") == "0":
            return self._claim(reference, "failed", fields, Failed("declined"))
        amount = amount_of(fields.get("amount"), EXPONENTS["LYD"])
        transaction = transaction_of(fields.get("transaction_id"))
        if fields.get("approved") != "1" or amount is None or transaction is None:
            return _doubt(fields, "neither yes nor no")
        details = {"gateway": "tlync", "payment_method": fields.get("payment_method", "")[:40]}
        receipt = self.receipt(transaction, amount, details)
        return self._claim(reference, "sale", fields, Paid((receipt,)))

    def receipt(self, transaction: str, dirhams: int, details: dict[str, str]) -> Receipt:
        """Dinars that came in this transaction of the account."""
        return Receipt(
            provider_reference=transaction,
            terminal=self._terminal,
            amount_dirhams=dirhams,
            currency="LYD",
            details=details,
        )

    def _outcome(self, intent: Intent, gateway: str, fields: Mapping[str, str]) -> Claim:
        """`approved` and `canceled` stand there only where they are true."""
        said = (fields.get("approved"), fields.get("canceled"))
        if said == (None, "1"):
            no = Failed("cancelled by the payer")
            return self._claim(intent.reference, "cancelled", fields, no)
        if said == (None, None):
            return self._claim(intent.reference, "failed", fields, Failed("declined"))
        transaction = transaction_of(fields.get("transaction_id"))
        if said != ("1", None) or transaction is None:
            return _doubt(fields, "neither yes nor no")
        receipt = self._card_receipt(intent, gateway, transaction, fields)
        if receipt is None:
            return _doubt(fields, "amount or currency")
        return self._claim(intent.reference, "sale", fields, Paid((receipt,)))

    def _card_receipt(
        self, intent: Intent, gateway: str, transaction: str, fields: Mapping[str, str]
    ) -> Receipt | None:
        """Money in the currency that the gateway says; None where that cannot be valued."""
        currency = fields.get("currency", "") if gateway == "mpgs" else "LYD"
        exponent = EXPONENTS.get(currency)
        amount = None if exponent is None else amount_of(fields.get("amount"), exponent)
        if amount is None:
            return None
        details = {"gateway": gateway}
        if currency == "LYD":
            return self.receipt(transaction, amount, details)
        if currency != intent.currency or not intent.wire_minor:
            return None
        return Receipt(
            provider_reference=transaction,
            terminal=self._terminal,
            amount_dirhams=worth_of(amount, intent.wire_minor, intent.amount_dirhams),
            currency=currency,
            wire_minor=amount,
            details=details,
        )

    def _claim(
        self,
        reference: str,
        kind: Kind,
        fields: Mapping[str, str],
        proof: Proof | None = None,
        *,
        authentic: Literal["yes", "unsigned"] = "yes",
    ) -> Claim:
        transaction = transaction_of(fields.get("transaction_id")) or "-"
        said = hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:16]
        return Claim(
            authentic=authentic,
            reference=reference,
            dedupe_key=f"{self._terminal}:{reference}:{transaction}:{kind}:{said}",
            kind=kind,
            amount_dirhams=proof.receipts[0].amount_dirhams if isinstance(proof, Paid) else None,
            raw=kept(fields),
            proof=proof,
        )


def named_reference(raw_body: bytes) -> str | None:
    """The invoice number as it stands in a POST, believed by nobody."""
    body = read_object(raw_body)
    named = text_of(body.get("invoice_no")) if body else ""
    return named if REFERENCE.fullmatch(named) else None


def _doubt(fields: Mapping[str, str], why: str) -> Claim:
    """Signed, but it makes no sense: it moves no money, and people should know."""
    _LOG.warning("plutu_callback_unclear", why=why, invoice_no=fields.get("invoice_no", "")[:64])
    return FORGED
