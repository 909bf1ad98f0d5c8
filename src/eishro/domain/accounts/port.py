"""What accounts expect from outside: a password hasher."""

from typing import Protocol

from eishro.errors import Unavailable


class HasherBusy(Unavailable):
    """Too many passwords are waiting to be checked."""


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
