"""Passwords on the edge: bcrypt as everywhere, in the request itself, since there are no threads.

The `bcrypt` package comes from the runtime's own set of packages when the Worker is deployed. The
isolate does nothing else while it hashes, and its CPU time is the account's: see the guide.
"""

import base64
import hashlib
from importlib import import_module
from typing import Any


class EdgeHasher:
    """The `Hasher` port; `cost` is the base-2 logarithm of bcrypt's rounds."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._nobody: bytes | None = None

    async def hash(self, password: str) -> str:
        return self._hash(password).decode()

    async def verify(self, password: str, stored: str | None) -> bool:
        against = stored.encode() if stored is not None else self._hash_of_nobody()
        return bool(_bcrypt().checkpw(prehash(password), against)) and stored is not None

    async def aclose(self) -> None:
        """No thread to stop."""

    def _hash(self, password: str) -> bytes:
        bcrypt = _bcrypt()
        hashed: bytes = bcrypt.hashpw(prehash(password), bcrypt.gensalt(self._cost))
        return hashed

    def _hash_of_nobody(self) -> bytes:
        # Compared with when there is no such user, so that both answers take as long.
        if self._nobody is None:
            self._nobody = self._hash("nobody")
        return self._nobody


def prehash(password: str) -> bytes:
    """As `adapters/bcrypt_hasher.py` does it: 44 bytes without NUL, since bcrypt reads 72."""
    return base64.b64encode(hashlib.sha256(password.encode()).digest())


def _bcrypt() -> Any:
    # Looked up here: the package is native, and absent where nobody signs in.
    return import_module("bcrypt")
