"""What headers say, read the same way by every layer of the door."""

import functools
import ipaddress
import re
from collections.abc import Collection
from datetime import datetime

from eishro.ids import text_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{8,100}")
EXPOSED_HEADERS = (
    "ETag, Idempotent-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, X-Request-ID"
)
# An answer that is no page loads nothing and stands in no frame.
NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"


def security_headers(*, is_secure: bool) -> list[tuple[str, str]]:
    """What every answer says to browsers; `is_secure` where people come by https."""
    # Addresses of pages hold tokens; no other place needs to know from where somebody comes.
    always = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
    if is_secure:
        always.append(("Strict-Transport-Security", "max-age=31536000"))
    return always


def request_id_from(shown: str | bytes | None, at: datetime) -> str:
    """The caller's own id where it is a plain one, else a new one."""
    text = shown.decode("latin-1") if isinstance(shown, bytes) else shown
    if text is not None and _REQUEST_ID.fullmatch(text):
        return text
    return text_id("req", at)


@functools.lru_cache(maxsize=1_000)
def language_from(header: str) -> str:
    """`ar` or `en`, whichever `Accept-Language` ranks higher; English where it ranks neither."""
    ranks = {"ar": 0.0, "en": 0.0}
    for part in header.split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().partition("-")[0].lower()
        if language in ranks:
            ranks[language] = max(ranks[language], _quality(parameter))
    return "ar" if ranks["ar"] > ranks["en"] else "en"


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def address_behind(peer: str, forwarded: str, trusted_proxies: tuple[str, ...]) -> str:
    """The client's address; `X-Forwarded-For` counts only behind a trusted proxy."""
    if not trusted_proxies:
        return peer
    address = peer
    hops = [hop.strip() for hop in forwarded.split(",")]
    while hops and hops[-1] and _is_trusted(address, trusted_proxies):
        address = hops.pop()
    return address


def _is_trusted(address: str, networks: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A server on `::` sees a proxy that comes by IPv4 as ::ffff:10.0.0.7.
    inner = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    known = [ipaddress.ip_network(network) for network in networks]
    return any(one in network for network in known for one in (parsed, inner) if one is not None)


def matches_etag(header: str | None, tag: str) -> bool:
    """True if `If-None-Match` names the tag (or `*`)."""
    if header is None:
        return False
    tags = [part.strip().removeprefix("W/") for part in header.split(",")]
    return tag in tags or "*" in tags


def allow_origin(
    origins: Collection[str], origin: bytes | None, answer: list[tuple[bytes, bytes]]
) -> bytes:
    """Add what a browser of this origin needs; what `Vary` has to name besides."""
    if "*" in origins:
        answer.append((b"access-control-allow-origin", b"*"))
        answer.append((b"access-control-expose-headers", EXPOSED_HEADERS.encode()))
        return b""
    if origin is not None and origin.decode("latin-1") in origins:
        answer.append((b"access-control-allow-origin", origin))
        answer.append((b"access-control-expose-headers", EXPOSED_HEADERS.encode()))
    return b", Origin"
