"""What the hosted payment page leaves with a payer who goes on to a gateway's page: the payment's
id, so that the way back leads there again. It goes to the way back alone and to no gateway.
"""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

COOKIE = "eishro_payment"
SECONDS = 7200


def cookie_of(payment_id: str, public_url: str, *, is_secure: bool) -> str:
    """The header that leaves it, for the shop at this address."""
    path = urlsplit(public_url).path + "/api/payments"
    text = f"{COOKIE}={payment_id}; Path={path}; Max-Age={SECONDS}; HttpOnly; SameSite=Lax"
    return text + ("; Secure" if is_secure else "")


def remembered(header: str | None) -> str | None:
    """The payment's id that a browser brings back."""
    try:
        cookies = SimpleCookie(header or "")
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None
