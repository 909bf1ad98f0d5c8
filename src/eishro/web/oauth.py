"""The doors to signing in with an account elsewhere (OAuth 2.0, OpenID Connect).

The one place with a cookie: it ties the way back to the browser that set out, holds no session,
and is gone after the way back.
"""

import re
from collections.abc import Collection
from typing import Annotated
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta

from eishro.domain.accounts.model import TwoFactorRequired
from eishro.domain.accounts.port import LoginRefused
from eishro.errors import Invalid, ShopError, Unauthenticated, Words
from eishro.flows import refusals, sign_in_with
from eishro.flows.sign_in import SignedIn
from eishro.flows.sign_in_with import ATTEMPT_LIFETIME, AttemptExpired
from eishro.web.accounts import Code, device_of, signed_in_reply
from eishro.web.errors import BadRequest, error_body, status_of
from eishro.web.routes import Call, Raw, Reply, envelope

COOKIE = "eishro_oauth"
RETURN_URL_LENGTH_MAX = 1_000  # the cookie holds it, and browsers keep 4,096 bytes of one
_PATH = "/api/auth/oauth"
# Origin and what follows it. Whatever browsers read in their own way (user names, backslashes,
# control characters) is not taken, nor a fragment, since the answer is put there.
_RETURN_URL = re.compile(r"([a-z][a-z0-9+.-]*://[A-Za-z0-9.:\[\]-]+)(?:[/?][!-~]*)?")
_PROVIDER_ERROR = re.compile(r"[!-~ ]{1,100}")
_FOREIGN = Words(
    "must lead to this installation or to one of its storefronts",
    "يجب أن يقود إلى هذا النظام أو إلى أحد متاجره",
)

# Visible ASCII, as RFC 6749 has it; 2,000 of it fit the head of a request even when escaped.
_Text = Annotated[str, Meta(max_length=2_000, pattern=r"^[ -~]*$")]


class StartQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Where the browser goes in the end; without it, the callback answers with JSON."""

    return_url: Annotated[str, Meta(max_length=RETURN_URL_LENGTH_MAX)] | None = None


class CallbackQuery(msgspec.Struct, frozen=True):
    """What providers add to the address they send browsers back to."""

    state: _Text = ""
    code: _Text | None = None
    error: _Text | None = None
    iss: _Text | None = None


class CompleteBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The ticket of a sign-in that waits, and a code of the second factor."""

    ticket: Annotated[str, Meta(min_length=1, max_length=4_000, pattern=r"^[!-~]+$")]
    otp: Code


async def start(call: Call, query: StartQuery) -> Raw:
    """Off to the provider, with a cookie to come back with."""
    return_url = None if query.return_url is None else _checked(call, query.return_url)
    address, sealed = await sign_in_with.set_out(call.shop, call.params["provider"], return_url)
    cookie = _cookie(call, sealed, int(ATTEMPT_LIFETIME.total_seconds()))
    return _redirect(address, cookie)


async def come_back(call: Call, query: CallbackQuery) -> Raw:
    """A session for who comes back; the cookie is cleared whatever the answer is."""
    try:
        return await _come_back(call, query)
    except ShopError as refusal:
        if isinstance(refusal, Unauthenticated) and not isinstance(refusal, TwoFactorRequired):
            await refusals.note(call.shop, call.actor, refusal.code, call.params["provider"])
        headers = {"Set-Cookie": _cookie(call, "", 0)}
        if isinstance(refusal, Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        body = error_body(refusal, call.language, call.door.clock.now())
        return Raw(body, status=status_of(refusal), headers=headers)


async def complete(call: Call, body: CompleteBody) -> Reply:
    """The session that waited for a second factor."""
    async with refusals.noting(call.shop, call.actor, "ticket", AttemptExpired):
        signed_in = await sign_in_with.complete(
            call.shop, call.door.tokens, body.ticket, body.otp, device_of(call)
        )
    return await signed_in_reply(call, signed_in)


async def _come_back(call: Call, query: CallbackQuery) -> Raw:
    held = call.request.get_cookie_values(COOKIE) or [""]
    # The state first: news that nobody here asked for is not even read.
    outward = sign_in_with.read_outward(call.shop, call.params["provider"], query.state, held[0])
    if query.error is not None:
        said = query.error if _PROVIDER_ERROR.fullmatch(query.error) else "unknown"
        raise LoginRefused(details={"error": said})
    if not query.code:
        raise BadRequest(details={"code": "missing"})
    try:
        signed_in = await sign_in_with.come_back(
            call.shop, call.door.tokens, outward, query.code, query.iss, device_of(call)
        )
    except TwoFactorRequired as wait:
        if outward.return_url is None:
            raise
        return _onward(call, outward.return_url, "ticket", str(wait.details["ticket"]))
    if outward.return_url is not None:
        return _onward(call, outward.return_url, "refreshToken", signed_in.refresh_token)
    return await _answer(call, signed_in)


async def _answer(call: Call, signed_in: SignedIn) -> Raw:
    reply = await signed_in_reply(call, signed_in)
    body = envelope(reply, call.language, call.door.clock.now())
    return Raw(body, headers={"Set-Cookie": _cookie(call, "", 0)})


def _onward(call: Call, return_url: str, member: str, value: str) -> Raw:
    """To the storefront. A fragment is sent to no server, and no log or referrer shows it."""
    return _redirect(f"{return_url}#{member}={quote(value, '')}", _cookie(call, "", 0))


def _redirect(address: str, cookie: str) -> Raw:
    headers = {"Location": address, "Set-Cookie": cookie, "Referrer-Policy": "no-referrer"}
    return Raw(b"", status=302, headers=headers)


def _cookie(call: Call, value: str, seconds: int) -> str:
    path = urlsplit(call.shop.rules.public_url).path + _PATH
    secure = "; Secure" if call.door.rules.is_secure else ""
    # Lax, not Strict: the provider's page sends the browser back here.
    return f"{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def _checked(call: Call, return_url: str) -> str:
    """An address that the answer may be sent to.

    Raises:
        Invalid: it leads elsewhere, or cannot be told.
    """
    own = urlsplit(call.shop.rules.public_url)
    origins: Collection[str] = {
        f"{own.scheme}://{own.netloc}".lower(),
        *(origin for origin in call.door.rules.cors_origins if origin != "*"),
    }
    found = _RETURN_URL.fullmatch(return_url)
    if found is None or "#" in return_url or "\\" in return_url or found[1] not in origins:
        raise Invalid({"returnUrl": _FOREIGN})
    return return_url
