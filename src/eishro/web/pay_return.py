"""Where a gateway's own page sends the payer back to.

The address holds the wire reference, which the gateway knows anyway, and shows nothing of the
payment. Who began on the hosted page carries its cookie and is led back there; others go to the
shop they came from, where the store names it. What the address brings is news, checked like any
other; the gateway's answer is waited for a moment, then the page goes on asking.
"""

from urllib.parse import parse_qsl

from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.stores import sql as stores
from eishro.errors import NotFound, Words
from eishro.flows import pay_order, refusals
from eishro.flows.gateways import intent_of, provider_of
from eishro.flows.return_address import allowed, page_of_shop
from eishro.web.asking import ask_in_time
from eishro.web.errors import BadRequest
from eishro.web.pay_cookie import Remembered, remembered
from eishro.web.routes import Call, Raw
from eishro.web.system import message_page, page_language

FIELDS_MAX = 50
FIELD_LENGTH_MAX = 4_000
_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


async def come_back(call: Call) -> Raw:
    """The payer is back: hear the news, then on to where the payment is shown.

    Raises:
        NotFound: no such payment. BadRequest: more fields than anybody means.
    """
    named = call.params["payment_id"]
    payment = await _find(call, named)
    provider = await provider_of(call.shop, payment)
    if provider is not None:
        claim = provider.parse_return(intent_of(call.shop, payment), _fields(call))
        if claim.authentic == "no":
            await refusals.note(call.shop, call.actor, "signature", payment.id)
        else:
            payment, is_asked = await pay_order.hear_return(call.shop, payment, claim)
            if is_asked:
                payment = await ask_in_time(call, payment)
    cookie = remembered(call.request.get_header("Cookie"))
    if payment.id in (named, cookie.payment_id if cookie else None):
        return _go(_page_of(call, payment, cookie))
    onward = await _onward(call, payment)
    if onward is not None:
        return _go(onward)
    return message_page(
        call,
        Words("Thank you", "شكرا لك"),
        Words(
            "The payment is being checked; the shop shows its outcome.",
            "يجري التحقق من الدفع؛ وتظهر النتيجة في المتجر.",
        ),
        page_language(call, None),
    )


async def _onward(call: Call, payment: Payment) -> str | None:
    """The shop's page that the payment was begun with, if it is one of the store's still."""
    if payment.return_url is None:
        return None
    store = await stores.get_store(call.shop.db, payment.store_id)
    rules, settings = call.shop.rules, store.settings_value()
    # A path of a store that names no site is one of this server.
    page = page_of_shop(rules, settings, payment.return_url)
    return page or allowed(rules, settings, payment.return_url)


def _page_of(call: Call, payment: Payment, cookie: Remembered | None) -> str:
    """The hosted page in the language that was chosen there; it is told that the payer is back
    while the payment is as it was before.
    """
    chosen = cookie and cookie.payment_id == payment.id and cookie.language
    language = f"?lang={chosen}" if chosen else ""
    mark = "#back" if payment.status in ("created", "action_required") else ""
    return f"{call.shop.rules.public_url}/pay/{payment.id}{language}{mark}"


async def _find(call: Call, named: str) -> Payment:
    # A store may have an account where the platform has none.
    names = sorted({*call.shop.providers, *call.shop.gateways.catalog})
    found = await payments.find_by_any_reference(call.shop.db, names, named)
    if found is None and named.startswith("pay_"):
        return await payments.get_payment(call.shop.db, named)
    if found is None:
        raise NotFound()
    return found


def _fields(call: Call) -> dict[str, str]:
    """What was brought, in the order received: the query, then a posted form."""
    texts = (call.request.query_string, call.body_bytes.decode("utf-8", "replace"))
    pairs: list[tuple[str, str]] = []
    try:
        for text in texts:
            pairs += parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:  # more fields than anybody means
        raise BadRequest() from error
    return {name: value[:FIELD_LENGTH_MAX] for name, value in pairs}


def _go(address: str) -> Raw:
    return Raw(b"", "text/plain; charset=utf-8", 303, {**_HEADERS, "Location": address})
