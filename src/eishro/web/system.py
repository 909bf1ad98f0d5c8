"""What is not the shop itself: health, cities, OpenAPI, media, pages."""

import secrets
from typing import Literal

import msgspec

from eishro.db import migrate
from eishro.db.database import DatabaseBusy
from eishro.domain.files.port import BadKey, FilesUnavailable
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.again import OVER
from eishro.domain.payments.model import CODE_TRIES_MAX, PaymentNotFound
from eishro.domain.payments.port import Lightbox, Offline, Otp, Redirect
from eishro.domain.shipping.cities import CITIES
from eishro.domain.stores import sql as stores
from eishro.errors import NotFound, ShopError, Unavailable, Words
from eishro.flows.pay_again import choice_of
from eishro.flows.return_address import page_of_shop
from eishro.web.dispatch import etag_of
from eishro.web.order_views import city_view
from eishro.web.pages import docs as docs_page
from eishro.web.pages import pay as pay_page
from eishro.web.pages.messages import render_message_page
from eishro.web.pages.rendering import as_language
from eishro.web.pay_cookie import cookie_of
from eishro.web.payments import action_of
from eishro.web.routes import Call, Raw, Reply
from eishro.web.security import confirm_address

_HTML = "text/html; charset=utf-8"
_FOREVER = "public, max-age=31536000, immutable"


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the process can work."""

    status: str


class PayQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The language of a hosted page, where the link chooses it."""

    lang: str | None = None


class TokenQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The token of a mail's link."""

    token: str = ""


async def live(_: Call) -> Reply:
    """The process answers."""
    return Reply(Health("ok"))


async def ready(call: Call) -> Reply:
    """The process can serve: its database answers and has this code's schema."""
    try:
        await migrate.check(call.shop.db)
    except (DatabaseBusy, migrate.NotMigrated, migrate.NewerThanCode) as error:
        raise Unavailable() from error
    return Reply(Health("ok"))


async def list_cities(_: Call) -> Reply:
    """Libyan cities in both languages."""
    return Reply([city_view(city.code) for city in CITIES])


async def read_media(call: Call) -> Raw:
    """A public file."""
    key = "media/" + call.params["key"]
    try:
        stored = await call.shop.files.find(key)
    except BadKey:
        raise NotFound() from None
    except FilesUnavailable as error:
        raise Unavailable() from error
    if stored is None:
        raise NotFound()
    headers = {
        "Cache-Control": _FOREVER,
        "X-Content-Type-Options": "nosniff",
        "ETag": etag_of(stored.content),
    }
    return Raw(stored.content, stored.content_type, headers=headers)


async def pay(call: Call, query: PayQuery) -> Raw:
    """The hosted payment page."""
    language = page_language(call, query.lang)
    try:
        payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    except PaymentNotFound as error:
        return message_page(call, error.words, Words("", ""), language, status=404)
    action = action_of(payment)
    choice = None
    if payment.status in OVER or isinstance(action, Otp):
        choice = await choice_of(call.shop, payment)
        order, store = choice.order, choice.store
    else:
        order = await orders.get_order(call.shop.db, payment.order_id)
        store = await stores.get_store(call.shop.db, payment.store_id)
    nonce = secrets.token_urlsafe(16)
    view = pay_page.PayPageView(
        payment_id=payment.id,
        order_number=order.number,
        store_name=store.name,
        method=payment.method,
        status=payment.status,
        amount_dirhams=payment.wire_minor or payment.amount_dirhams,
        currency=payment.currency,
        action=action,
        expires_at=payment.expires_at,
        return_url=page_of_shop(call.shop.rules, store.settings_value(), payment.return_url),
        now=call.shop.clock.now(),
        tries_left=max(0, CODE_TRIES_MAX - payment.code_tries),
        failure=payment.failure if isinstance(action, Offline) else None,
        again=None if choice is None else choice.is_offered,
    )
    script = action.script_url if isinstance(action, Lightbox) else None
    headers = page_headers(nonce, script)
    if isinstance(action, Redirect):
        is_secure = call.door.rules.is_secure
        public_url = call.shop.rules.public_url
        wish = as_language(query.lang) if query.lang else None
        headers["Set-Cookie"] = cookie_of(payment.id, public_url, wish, is_secure=is_secure)
    body = pay_page.render_pay_page(view, language=language, nonce=nonce)
    return Raw(body, _HTML, headers=headers)


def page_headers(nonce: str, script: str | None = None) -> dict[str, str]:
    """Of a page whose address is a secret."""
    return {
        "Content-Security-Policy": pay_page.content_security_policy(nonce, script),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


async def verify_email_page(call: Call, query: TokenQuery) -> Raw:
    """Where the link of a verification mail leads."""
    try:
        await confirm_address(call, query.token[:2000])
    except ShopError:
        title = Words("This link is not valid any more.", "لم يعد هذا الرابط صالحا.")
        return message_page(call, title, Words("", ""), call.language, status=422)
    title = Words("Your e-mail address is confirmed.", "تم تأكيد بريدك الإلكتروني.")
    return message_page(call, title, Words("", ""), call.language)


def page_language(call: Call, wish: str | None) -> Literal["ar", "en"]:
    """Pages are Arabic unless English is asked for by the link or preferred by the browser."""
    preferred = (call.request.get_header("Accept-Language") or "ar")[:2].lower()
    return "en" if (wish or preferred) == "en" else "ar"


def message_page(call: Call, title: Words, body: Words, language: str, status: int = 200) -> Raw:
    """A page that says one thing."""
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": pay_page.content_security_policy(nonce, None),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-ID": call.request_id,
    }
    return Raw(render_message_page(title, body, language), _HTML, status, headers)


async def read_asset(call: Call) -> Raw:
    """A style sheet or script of the hosted pages."""
    return _asset(pay_page.read_asset(call.params["name"]))


async def docs(_: Call) -> Raw:
    """The API's documentation, with assets of its own."""
    nonce = secrets.token_urlsafe(16)
    body = docs_page.render_docs_page(nonce=nonce)
    headers = {"Content-Security-Policy": docs_page.content_security_policy(nonce)}
    return Raw(body, _HTML, headers=headers)


async def read_docs_asset(call: Call) -> Raw:
    """A script or style sheet of the documentation page."""
    return _asset(docs_page.docs_asset(call.params["name"]))


def _asset(found: tuple[bytes, str, str] | None) -> Raw:
    if found is None:
        raise NotFound()
    body, content_type, etag = found
    headers = {"Cache-Control": "public, max-age=3600", "ETag": etag}
    return Raw(body, content_type, headers=headers)
