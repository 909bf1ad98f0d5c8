"""Access tokens: short JWTs that name a user and a session, checked without the database.

HS256 only, with a type and an audience; keys come from the installation's keyring, so a rotated
key still verifies. A verified signature is remembered; the session behind it is looked up at
every request, so that signing out is at once.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from eishro.domain.accounts.model import TokenExpired
from eishro.errors import Unauthenticated
from eishro.keyring import Keyring

AUDIENCE = "eishro-api"
TYPE = "at+jwt"
REMEMBERED_MAX = 20_000


class AccessClaims(msgspec.Struct, frozen=True):
    """What an access token says; `expires_at` is seconds since 1970."""

    user_id: int
    session_id: str
    expires_at: int


class AccessTokens:
    """Makes and reads access tokens."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._remembered: OrderedDict[str, AccessClaims] = OrderedDict()

    def issue(self, user_id: int, session_id: str, at: datetime, lifetime: timedelta) -> str:
        """A token for this session, valid for `lifetime`."""
        import jwt  # heavy: at the first sign-in, not at the start

        return jwt.encode(
            {
                "sub": str(user_id),
                "sid": session_id,
                "aud": AUDIENCE,
                "iat": int(at.timestamp()),
                "exp": int((at + lifetime).timestamp()),
            },
            self._keyring.derive("access-token"),
            algorithm="HS256",
            headers={"typ": TYPE},
        )

    def read(self, token: str, now: datetime) -> AccessClaims:
        """The claims of a genuine, unexpired token.

        Raises:
            TokenExpired: genuine, but its time is over.
            Unauthenticated: anything else.
        """
        claims = self._remembered.get(token)
        if claims is None:
            claims = self._verify(token)
            self._remembered[token] = claims
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        if claims.expires_at <= now.timestamp():
            raise TokenExpired()
        return claims

    def _verify(self, token: str) -> AccessClaims:
        import jwt

        for key in self._keyring.derive_all("access-token"):
            try:
                # Time is checked against the shop's clock, not PyJWT's.
                decoded = jwt.decode_complete(
                    token,
                    key,
                    algorithms=["HS256"],
                    audience=AUDIENCE,
                    options={
                        "require": ["sub", "sid", "exp", "aud"],
                        "verify_exp": False,
                        "verify_iat": False,
                    },
                )
                if decoded["header"].get("typ") != TYPE:
                    raise Unauthenticated()
                payload = decoded["payload"]
                return AccessClaims(int(payload["sub"]), str(payload["sid"]), int(payload["exp"]))
            except (jwt.InvalidTokenError, ValueError):
                continue
        raise Unauthenticated()
