"""Reading ID tokens: OpenID Connect Core 3.1.3.7, against keys that the provider publishes.

The key decides which algorithm may be used with it, never the token: a token signed with HMAC
over a public key, or not at all, finds no key here.
"""

import hmac
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

LEEWAY_SECONDS = 60
SUBJECT_LENGTH_MAX = 255
RSA_BITS_MIN = 2_048

# What a key of this type and curve may sign with.
_ALGORITHMS = {
    ("RSA", None): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}


class NotGenuine(Exception):
    """Not an ID token of this provider for us, now, and for this attempt; says why."""


class NoSuchKey(NotGenuine):
    """Signed with a key that is not among those known."""


def read_id_token(
    token: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    now: datetime,
) -> dict[str, Any]:
    """The claims of a genuine ID token; `sub` is a text of 1 to 255 characters.

    Args:
        keys: the provider's published keys, as JWKs.
        nonce: what the attempt sent along; the token must carry it.
        now: the shop's clock; the provider's may be `LEEWAY_SECONDS` off.

    Raises:
        NotGenuine: with the reason, for the log.
    """
    import jwt  # heavy: at the first sign-in, not at the start

    try:
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        key = _find_key(keys, header.get("kid"), algorithm)
        # Time is checked against the shop's clock, not PyJWT's.
        claims: dict[str, Any] = jwt.decode(
            token,
            _load(key, algorithm),
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as fault:
        raise NotGenuine(f"{type(fault).__name__}: {fault}") from fault
    _check_claims(claims, client_id, nonce)
    _check_times(claims, now.timestamp())
    return claims


def _find_key(keys: Sequence[Mapping[str, Any]], kid: object, algorithm: str) -> Mapping[str, Any]:
    """The one key that may have signed; without a `kid`, only where there is no choice."""
    fitting = [
        key
        for key in keys
        if algorithm in _ALGORITHMS.get((str(key.get("kty")), key.get("crv")), ())
        and key.get("alg") in (None, algorithm)
        and key.get("use") in (None, "sig")
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise NoSuchKey(f"{len(fitting)} keys for {algorithm[:20]}")
    return fitting[0]


def _load(key: Mapping[str, Any], algorithm: str) -> Any:
    import jwt

    # Without private members, which a published key should not have and nobody here needs.
    public = {
        name: value for name, value in key.items() if name in ("kty", "crv", "n", "e", "x", "y")
    }
    try:
        loaded = jwt.PyJWK(public, algorithm).key
    except (ValueError, TypeError, KeyError) as fault:
        raise NotGenuine("a published key cannot be read") from fault
    if getattr(loaded, "key_size", RSA_BITS_MIN) < RSA_BITS_MIN and public["kty"] == "RSA":
        raise NotGenuine("a published key is too short")
    return loaded


def _check_claims(claims: Mapping[str, Any], client_id: str, nonce: str) -> None:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH_MAX:
        raise NotGenuine("sub")
    shown = claims.get("nonce")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(), nonce.encode()):
        raise NotGenuine("nonce")
    party = claims.get("azp")
    is_shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (is_shared or party is not None) and party != client_id:
        raise NotGenuine("azp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        # JSON as Python reads it knows NaN, which no comparison refuses.
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise NotGenuine(name)
    if claims["exp"] + LEEWAY_SECONDS <= now:
        raise NotGenuine("exp")
    if max(claims["iat"], claims.get("nbf", 0)) - LEEWAY_SECONDS > now:
        raise NotGenuine("iat")
