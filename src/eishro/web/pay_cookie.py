"""What the hosted payment page leaves with a payer who goes on to a gateway's page: the payment's
id and the language that was chosen, so that the way back leads there again. It goes to the way back
alone and to no gateway.
"""

from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import urlsplit

import msgspec

COOKIE = "eishro_payment"
SECONDS = 7200


class Remembered(msgspec.Struct, frozen=True):
    """Whose page it was; `language` where the payer chose one."""

    payment_id: str
    language: Literal["ar", "en"] | None = None


def cookie_of(
    payment_id: str, public_url: str, language: str | None = None, *, is_secure: bool
) -> str:
    """The header that leaves it, for the shop at this address."""
    value = f"{payment_id}.{language}" if language else payment_id
    path = urlsplit(public_url).path + "/api/payments"
    text = f"{COOKIE}={value}; Path={path}; Max-Age={SECONDS}; HttpOnly; SameSite=Lax"
    return text + ("; Secure" if is_secure else "")


def remembered(header: str | None) -> Remembered | None:
    """What a browser brings back."""
    try:
        cookies = SimpleCookie(header or "")
    except CookieError:
        return None
    if COOKIE not in cookies:
        return None
    payment_id, _, language = cookies[COOKIE].value.partition(".")
    if language in ("ar", "en"):
        return Remembered(payment_id, "ar" if language == "ar" else "en")
    return Remembered(payment_id)
