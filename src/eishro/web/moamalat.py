"""The two calls that the original front end makes to begin a Moamalat payment by itself.

What is signed is the stored payment that the reference names: its amount, whatever the browser
says. Without the envelope, in the gateway's own names.
"""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.clock import TRIPOLI
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Intent, Lightbox, PaymentProvider
from eishro.errors import Invalid, NotFound, Words
from eishro.flows.gateways import intent_of, provider_of
from eishro.web.routes import Call, Raw

PROVIDER = "moamalat"
_STAMP = re.compile(r"\d{12}", re.ASCII)
_TEXT = Meta(max_length=64)


class HashBody(msgspec.Struct, frozen=True, rename={
    "amount": "AmountTrxn",
    "reference": "MerchantReference",
    "stamp": "TrxDateTime",
    "merchant_id": "MID",
    "terminal_id": "TID",
}, forbid_unknown_fields=True):  # fmt: skip
    """The lightbox's request but for its signature."""

    amount: Annotated[str, _TEXT]
    reference: Annotated[str, _TEXT]
    stamp: Annotated[str, _TEXT]
    merchant_id: Annotated[str, _TEXT]
    terminal_id: Annotated[str, _TEXT]


async def read_public(call: Call) -> Raw:
    """The platform's terminal, and whether it is the live one.

    Raises:
        NotFound: the platform has none.
    """
    provider = call.shop.providers.get(PROVIDER)
    if provider is None:
        raise NotFound()
    now = call.shop.clock.now()
    shown = await _parameters(provider, Intent(reference="X", amount_dirhams=1, created_at=now))
    body = {
        "MID": shown["MID"],
        "TID": shown["TID"],
        "ENV": "production" if call.shop.gateways.is_production else "sandbox",
    }
    return Raw(msgspec.json.encode(body))


async def sign(call: Call, body: HashBody) -> Raw:
    """The signature of a payment that waits for its payer.

    Raises:
        Invalid: no such payment, it waits no more, another terminal, or a time of another form.
    """
    payment = await payments.find_by_reference(call.shop.db, PROVIDER, body.reference)
    provider = None if payment is None else await provider_of(call.shop, payment)
    if payment is None or provider is None or not payment.waits_for_payer:
        raise Invalid(
            {"MerchantReference": Words("names no open payment", "لا يشير إلى دفعة مفتوحة")}
        )
    intent = msgspec.structs.replace(intent_of(call.shop, payment), created_at=_time(body.stamp))
    signed = await _parameters(provider, intent)
    _check_terminal(body, signed)
    return Raw(msgspec.json.encode({"secureHash": signed["SecureHash"]}))


async def _parameters(provider: PaymentProvider, intent: Intent) -> dict[str, str]:
    action = (await provider.start(intent)).action
    if not isinstance(action, Lightbox):
        raise NotFound()
    return action.parameters


def _time(stamp: str) -> datetime:
    if _STAMP.fullmatch(stamp):
        try:
            return datetime.strptime(stamp, "%Y%m%d%H%M").replace(tzinfo=TRIPOLI)
        except ValueError:
            pass
    raise Invalid(
        {"TrxDateTime": Words("must look like yyyyMMddHHmm", "يجب أن يكون بالشكل yyyyMMddHHmm")}
    )


def _check_terminal(body: HashBody, signed: dict[str, str]) -> None:
    faults = {
        name: Words("is not this payment's terminal", "ليس طرفية هذه الدفعة")
        for name, value in (("MID", body.merchant_id), ("TID", body.terminal_id))
        if signed[name] != value
    }
    if faults:
        raise Invalid(faults)
