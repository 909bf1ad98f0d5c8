"""Paying again from the hosted page: `/pay/:paymentId/again`, for who holds that address.

The page lists the ways that are open for the order; the POST begins another attempt. Where an
attempt is still open or unclear, both lead there instead.
"""

import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import MayBeCharged, Payment, PaymentNotFound
from eishro.domain.payments.port import Payer
from eishro.errors import Words
from eishro.flows import pay_again
from eishro.web.asking import in_time
from eishro.web.pages.again import AgainPageView, render_again_page
from eishro.web.payments import payment_view
from eishro.web.routes import Call, Raw, Reply
from eishro.web.system import PayQuery, message_page, page_headers, page_language
from eishro.web.wire import Phone, ShortText

_HTML = "text/html; charset=utf-8"


class AgainBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How to pay now. `phone`, `birthYear` and `card` are for methods that ask for them."""

    method: ShortText
    phone: Phone | None = None
    birth_year: Annotated[int, Meta(ge=1900, le=2100)] | None = None
    card: Annotated[str, Meta(max_length=20, pattern=r"^[0-9]*$")] | None = None


async def choose(call: Call, query: PayQuery) -> Raw:
    """The ways to pay what is due, or the way to the page that says why there is none."""
    language = page_language(call, query.lang)
    try:
        payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    except PaymentNotFound as error:
        return message_page(call, error.words, Words("", ""), language, status=404)
    choice = await pay_again.choice_of(call.shop, payment)
    if not choice.methods:
        leads_to = choice.first or payment
        location = f"{call.shop.rules.public_url}/pay/{leads_to.id}?lang={language}"
        headers = {
            "Location": location,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        }
        return Raw(b"", "text/plain; charset=utf-8", 303, headers)
    rate = call.shop.rules.usd
    due = choice.order.due_dirhams
    view = AgainPageView(
        payment_id=payment.id,
        order_number=choice.order.number,
        store_name=choice.store.name,
        method=payment.method,
        methods=choice.methods,
        due_dirhams=due,
        due_cents=None if rate is None else rate.cents(due),
    )
    nonce = secrets.token_urlsafe(16)
    body = render_again_page(view, language=language, nonce=nonce)
    return Raw(body, _HTML, headers=page_headers(nonce))


async def start(call: Call, body: AgainBody) -> Reply:
    """A new attempt, shown on a page of its own.

    Raises:
        MayBeCharged, AttemptOpen: with the `paymentId` that comes first.
    """

    def view(payment: Payment) -> Reply:
        return Reply(payment_view(call, payment), status=201)

    await _ask_once_more(call)
    once = call.once(view)
    payer = Payer(
        phone=body.phone.number if body.phone else None,
        birth_year=body.birth_year,
        card=body.card,
        address=call.address,
    )
    payment = await pay_again.pay_again(
        call.shop,
        call.params["payment_id"],
        body.method,
        call.actor,
        once,
        payer,
        "en" if call.language == "en" else "ar",
    )
    return once.reply(payment)


async def _ask_once_more(call: Call) -> None:
    """The gateway is not waited for too long; what it refused before needs no answer now."""
    payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    is_clear = await in_time(call, payment, lambda: pay_again.ask_once_more(call.shop, payment.id))
    if not (payment.status == "failed" if is_clear is None else is_clear):
        raise MayBeCharged()
