"""What accounts expect from outside: a password hasher, and who vouches for people elsewhere."""

from typing import Protocol

import msgspec

from eishro.errors import Unauthenticated, Unavailable, Words


class HasherBusy(Unavailable):
    """Too many passwords are waiting to be checked."""


class LoginRefused(Unauthenticated):
    """An identity provider said no, or what it said cannot be believed."""

    code = "LOGIN_REFUSED"
    words = Words(
        "The sign-in was not completed; please try again.",
        "لم يكتمل تسجيل الدخول؛ يرجى المحاولة مرة أخرى.",
    )


class IdentityProviderUnavailable(Unavailable):
    """An identity provider does not answer, or answers what is no answer."""

    code = "PROVIDER_ERROR"
    words = Words(
        "The sign-in service does not answer; please try again later.",
        "خدمة تسجيل الدخول لا تستجيب؛ يرجى المحاولة لاحقا.",
    )


class Hasher(Protocol):
    """Slow one-way hashing that does not hold up other requests.

    Both calls raise `HasherBusy` when more wait than the hasher's limit.
    """

    async def hash(self, password: str) -> str:
        """A salted hash to store."""
        ...

    async def verify(self, password: str, stored: str | None) -> bool:
        """True if it is the password; takes as long when `stored` is None (nobody there)."""
        ...

    async def aclose(self) -> None:
        """Stop the hashing thread."""
        ...


class Attempt(msgspec.Struct, frozen=True):
    """One way to a provider and back. The browser that set out holds it, sealed.

    `state` comes back with the answer, `nonce` inside the ID token; `verifier` proves to the
    provider that who set out also redeems the code.
    """

    provider: str
    state: str
    nonce: str
    verifier: str


class Person(msgspec.Struct, frozen=True):
    """Who came back, as the provider says; `subject` never changes there, `email` may."""

    subject: str
    email: str = ""
    is_email_verified: bool = False
    first_name: str = ""
    last_name: str = ""


class IdentityProvider(Protocol):
    """Somebody who knows people by their own login: Google, a company's directory.

    Both calls raise `IdentityProviderUnavailable` where the provider does not answer.
    """

    @property
    def name(self) -> str:
        """As the settings and the routes call it."""
        ...

    @property
    def issuer(self) -> str:
        """As its answers name it."""
        ...

    async def address(self, attempt: Attempt, return_address: str) -> str:
        """Where to send the browser; the provider sends it back to `return_address`."""
        ...

    async def identify(self, code: str, attempt: Attempt, return_address: str) -> Person:
        """Who is behind the code that came back.

        Raises:
            LoginRefused: the code is spent, foreign, or what came for it is not genuine.
        """
        ...
