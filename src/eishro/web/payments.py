"""Payments: starting one, following it, and the news that browsers and gateways bring."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import SETTLED, Payment, Status
from eishro.domain.payments.port import Action, Payer, PaymentProvider
from eishro.errors import Invalid, NotFound, Unauthenticated, Words
from eishro.flows import pay_order, refusals
from eishro.flows import submit_code as codes
from eishro.flows.gateways import intent_of, provider_of
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.money import EXPONENTS
from eishro.text import fold_digits
from eishro.web import wire
from eishro.web.asking import ask_in_time
from eishro.web.dispatch import headers_of
from eishro.web.errors import BadRequest
from eishro.web.routes import Call, Raw, Reply
from eishro.web.wire import Phone, ShortText, WebAddress, dinars

CODE_SECONDS = 25.0  # how long a payer waits for the answer to a code before being told "soon"


class PaymentBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How to pay now. `phone`, `birthYear` and `card` are for methods that ask for them."""

    method: ShortText
    return_url: WebAddress | None = None
    phone: Phone | None = None
    birth_year: Annotated[int, Meta(ge=1900, le=2100)] | None = None
    card: Annotated[str, Meta(max_length=20, pattern=r"^[0-9]*$")] | None = None


class CodeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The one-time code that the payer was sent, digits of any script."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class PaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """A payment as its payer sees it: status and what to do, never customer data."""

    id: str
    order_id: str
    method: str
    status: Status
    amount: Decimal
    currency: str
    action: msgspec.Raw | None
    failure: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def start(call: Call, body: PaymentBody) -> Reply:
    """A new attempt: what the payer has to do is in `action`."""

    def view(payment: Payment) -> Reply:
        return Reply(payment_view(call, payment), status=201)

    once = call.once(view)
    payment = await start_payment(
        call.shop,
        call.params["order_id"],
        body.method,
        body.return_url.url if body.return_url else None,
        call.actor,
        once,
        Payer(
            phone=body.phone.number if body.phone else None,
            birth_year=body.birth_year,
            card=body.card,
            address=call.address,
        ),
        "en" if call.language == "en" else "ar",
    )
    return once.reply(payment)


async def read(call: Call) -> Reply:
    """A payment's status; the id is the secret."""
    payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    return Reply(payment_view(call, payment))


async def report_result(call: Call) -> Reply:
    """The browser's completion, cancel or error payload: a claim, checked with the gateway.

    Raises:
        Invalid: the payload is forged or of another payment; nothing is asked, nothing written
            but a line of the trail.
    """
    payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    payload = _payload(call)
    provider = await provider_of(call.shop, payment)
    if provider is None:
        raise NotFound()
    claim = provider.parse_result(intent_of(call.shop, payment), payload)
    if claim.authentic == "no":
        await refusals.note(call.shop, call.actor, "signature", payment.id)
        raise Invalid(
            {"SecureHash": Words("does not fit this payment", "لا يطابق عملية الدفع هذه")}
        )
    payment = await pay_order.note_claim(call.shop, payment.id, claim)
    if claim.kind in ("sale", "failed"):
        payment = await ask_in_time(call, payment)
    return Reply(payment_view(call, payment))


async def receive_webhook(call: Call) -> Raw:
    """A gateway's notification: verified, stored, answered, then worked off.

    Raises:
        Unauthenticated: forged or unreadable; dropped before anything is asked, or stored but
            a line of the trail.
    """
    provider, payment = await _who_is_told(call)
    claim = provider.parse_webhook(headers_of(call.request), call.body_bytes)
    if claim.authentic == "no":
        await refusals.note(call.shop, call.actor, "signature", provider.name)
        raise Unauthenticated(
            Words(
                "The notification does not carry the gateway's signature.",
                "الإشعار لا يحمل توقيع بوابة الدفع.",
            )
        )
    if payment is None and claim.reference is not None:
        payment = await payments.find_by_reference(call.shop.db, provider.name, claim.reference)
    if payment is None:  # the name of nobody's payment could be anything
        claim = msgspec.structs.replace(claim, reference=None)
    # What nobody signed and nobody here waits for is not worth a row.
    if claim.authentic == "yes" or payment is not None:
        news = await store_news(call.shop, provider.name, claim)
        is_settled = payment is None or payment.status in SETTLED
        # Told again of what it was told before: asked again while the money has not come.
        if news is not None and not (news.outcome and is_settled):
            shop = call.shop.at_leisure()
            call.door.background(pay_order.work_off_news(shop, news, payment))
    reply = provider.webhook_reply()
    return Raw(reply.body, reply.content_type, reply.status)


async def probe_webhook(call: Call) -> Raw:
    """Some gateways look whether the address is there before they use it."""
    name = call.params["provider"]
    if name not in call.shop.gateways.catalog:
        raise NotFound()
    return Raw(b"{}")


async def _who_is_told(call: Call) -> tuple[PaymentProvider, Payment | None]:
    """The adapter with the credentials of the store that the notification seems to be of; the
    platform's own where it is of nobody's payment.
    """
    name = call.params["provider"]
    platforms = call.shop.providers.get(name)
    gateway = call.shop.gateways.catalog.get(name)
    read = gateway.reference_of if gateway is not None else None
    if platforms is not None:
        read = platforms.reference_of
    reference = None if read is None else read(call.body_bytes)
    payment = await payments.find_by_reference(call.shop.db, name, reference) if reference else None
    own = None if payment is None else await provider_of(call.shop, payment)
    provider = own or platforms
    if provider is None:
        raise NotFound()
    return provider, payment


async def submit_code(call: Call, body: CodeBody) -> Reply:
    """Pay with the one-time code; the gateway is not waited for too long."""
    code = fold_digits(body.code).strip()
    if not code.isascii() or not code.isdigit():
        raise Invalid({"code": Words("has digits only", "يتكون من أرقام فقط")})
    sending = asyncio.ensure_future(codes.submit_code(call.shop, call.params["payment_id"], code))
    done, _ = await asyncio.wait({sending}, timeout=CODE_SECONDS)
    if done:
        return Reply(payment_view(call, sending.result()))
    call.door.background(sending)
    return await read(call)


async def resend_code(call: Call) -> Reply:
    """Have the gateway send another code."""
    payment = await codes.resend_code(call.shop, call.params["payment_id"])
    return Reply(payment_view(call, payment))


def _payload(call: Call) -> dict[str, object]:
    try:
        payload = wire.decode_any(call.body_bytes)
    except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError) as error:
        raise BadRequest() from error
    if not isinstance(payload, dict):
        raise BadRequest()
    return payload


def payment_view(call: Call, payment: Payment) -> PaymentView:
    """The payment as the API shows it; a lightbox carries the address of the hosted page."""
    return PaymentView(
        id=payment.id,
        order_id=payment.order_id,
        method=payment.method,
        status=payment.status,
        amount=_amount(payment),
        currency=payment.currency,
        action=_action(call, payment),
        failure=payment.failure,
        expires_at=payment.expires_at,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
    )


def _amount(payment: Payment) -> Decimal:
    """In the currency that the gateway asks for."""
    if payment.wire_minor is None:
        return dinars(payment.amount_dirhams)
    return Decimal(payment.wire_minor).scaleb(-EXPONENTS[payment.currency])


def _action(call: Call, payment: Payment) -> msgspec.Raw | None:
    if payment.action is None or not payment.waits_for_payer:
        return None
    action = msgspec.json.decode(payment.action)
    if action.get("kind") == "lightbox":
        action["pageUrl"] = f"{call.shop.rules.public_url}/pay/{payment.id}"
    if action.get("qr"):
        action["qrUrl"] = f"{call.shop.rules.public_url}/api/payments/{payment.id}/qr"
    return msgspec.Raw(msgspec.json.encode(action))


def action_of(payment: Payment) -> Action | None:
    """What the payer has to do, or None when there is nothing left to do."""
    if payment.action is None or not payment.waits_for_payer:
        return None
    action: Action = msgspec.json.decode(payment.action, type=Action)
    return action
