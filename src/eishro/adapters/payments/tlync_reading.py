"""Reading what T-Lync says: the answer to a start, receipts, callbacks. Pure.

Facts: published integrations, read 2026-11; the vendor's manual stands behind its portal. Most
receipts hold their fields in `data`, one integration reads them at the top: both are taken, but
not both with different values.
"""

import re
from collections.abc import Mapping
from typing import Any

from eishro.adapters.payments.wire import (
    dirhams_of,
    id_of,
    is_down,
    is_page,
    masked,
    read_fields,
    read_object,
    said_by,
    text_of,
)
from eishro.domain.payments.port import (
    Answer,
    Intent,
    Paid,
    ProviderBusy,
    ProviderRefused,
    Receipt,
    Unknown,
)
from eishro.errors import Invalid, Words
from eishro.outward import HttpReply

REFERENCE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
# What a callback may leave behind; the payer's phone is not ours to keep.
_KEPT = (
    "result",
    "amount",
    "charges",
    "net_amount",
    "our_ref",
    "payment_method",
    "payment_method_en",
    "custom_ref",
)
_DETAILS = ("gateway_name", "gateway", "gateway_ref", "date_time", "reference")
PHONE_REFUSED = Words("is not taken by the payment service", "رقم الهاتف غير مقبول لدى خدمة الدفع")


def read_start(reply: HttpReply, intent: Intent, base_url: str) -> str:
    """The payer's page.

    Raises:
        ProviderBusy: the answer makes no sense, or the account is refused.
        ProviderRefused, Invalid: the gateway says no to this payment.
    """
    body = read_object(reply.body)
    if body is None or reply.status in (401, 403, 404, 405, 408, 429) or reply.status >= 500:
        raise ProviderBusy()
    if text_of(body.get("result")) != "success" or reply.status not in (200, 201):
        raise _refusal(reply.status, body)
    url = body.get("url")
    url = url.strip() if isinstance(url, str) else ""
    if text_of(body.get("custom_ref")) not in ("", intent.reference) or not is_page(url, base_url):
        raise ProviderBusy()
    return url


def read_receipt(reply: HttpReply, intent: Intent, store_id: str, id_field: str) -> Answer:
    """What a receipt says about the attempt; only a plain success is money, and nothing is a no."""
    if reply.status == 404:
        return Unknown("the gateway does not know the transaction")
    if reply.status != 200:
        reason = f"the gateway answers with HTTP status {reply.status}"
        return Unknown(reason, is_unreachable=is_down(reply.status))
    body = read_object(reply.body)
    if body is None:
        return Unknown("the gateway's answer cannot be read")
    result = text_of(body.get("result")).lower()
    if result == "incomplete":
        return Unknown("nothing is paid yet")
    if result != "success":
        return Unknown(f"the gateway's answer makes no sense: {masked(result)}")
    return _receipt(body, intent, store_id, id_field)


def _receipt(body: Mapping[str, Any], intent: Intent, store_id: str, id_field: str) -> Answer:
    data = body.get("data")
    inner: Mapping[str, Any] = data if isinstance(data, dict) else {}
    names = {"amount", "currency", "custom_ref", "store_id", id_field, *_DETAILS}
    found: dict[str, str] = {}
    for name in names:
        told = {text_of(inner.get(name)), text_of(body.get(name))} - {""}
        if len(told) > 1:
            return Unknown(f"the receipt contradicts itself: {name}", is_foreign=True)
        found[name] = told.pop() if told else ""
    if found["custom_ref"] not in ("", intent.reference):
        return Unknown("the receipt is of another payment", is_foreign=True)
    if found["store_id"] not in ("", store_id):
        return Unknown("the receipt is of another store", is_foreign=True)
    # The gateway has no other currency; a receipt without one means dinars.
    if found["currency"].upper() not in ("", "LYD", "434"):
        currency = masked(found["currency"])
        return Unknown(f"the receipt is in another currency: {currency}", is_foreign=True)
    amount, transaction = dirhams_of(found["amount"]), id_of(found[id_field])
    if amount is None or transaction is None:
        return Unknown("the receipt names no amount or no transaction")
    details = {name: _reference_text(found[name]) for name in _DETAILS if found[name]}
    receipt = Receipt(
        provider_reference=transaction,
        terminal=store_id,
        amount_dirhams=amount,
        currency="LYD",
        details=details,
    )
    return Paid((receipt,))


def read_callback(raw_body: bytes) -> dict[str, str] | None:
    """A callback's fields, if it names a payment."""
    fields = read_fields(raw_body)
    if fields is None or not REFERENCE.fullmatch(fields.get("custom_ref", "")):
        return None
    return fields


def kept(fields: Mapping[str, str]) -> dict[str, object]:
    """What is worth keeping of a callback."""
    return {name: _reference_text(fields[name]) for name in _KEPT if name in fields}


def _reference_text(text: str) -> str:
    """References are kept whole where they have letters; a bare long number could be a card."""
    return masked(text) if re.fullmatch(r"[\d \-+]{13,}", text, re.ASCII) else text[:64]


def _refusal(status: int, body: Mapping[str, Any]) -> Exception:
    errors = body.get("errors")
    if isinstance(errors, dict) and "phone" in errors:
        return Invalid({"phone": PHONE_REFUSED})
    if status < 400 and not errors and not body.get("message"):
        return ProviderBusy()  # neither a yes nor a no
    reason = said_by(body, "message") or "no reason given"
    return ProviderRefused(
        Words(f"was refused by the gateway: {reason}", f"رفضته بوابة الدفع: {reason}")
    )
