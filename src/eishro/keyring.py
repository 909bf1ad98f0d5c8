"""Secrets of the installation: signing and sealing with the keys of EISHRO_SECRET_KEYS.

The first key signs and seals, all of them verify and open, so keys are rotated by putting a
new one in front. Every purpose has keys of its own (derived by HMAC), so a signature made for
one purpose is worthless for another.
"""

import base64
import functools
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Protocol

from eishro.ids import random_bytes

KEY_LENGTH_MIN = 32  # characters


class BadSeal(Exception):
    """Sealed text that none of our keys opens: changed, foreign, or of a dropped key."""


class Cipher(Protocol):
    """AES-256-GCM: 32-byte keys, 12-byte nonces, the 16-byte tag at the end of what is sealed.

    Chosen where the application is put together, since the edge has no native library.
    """

    def encrypt(self, key: bytes, nonce: bytes, content: bytes, purpose: bytes) -> bytes:
        """Encrypt `content` and bind it to `purpose`."""
        ...

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, purpose: bytes) -> bytes | None:
        """The content, or None if this key, nonce and purpose did not make it."""
        ...


class LibraryCipher:
    """The cipher of the `cryptography` package; imported at its first use."""

    def encrypt(self, key: bytes, nonce: bytes, content: bytes, purpose: bytes) -> bytes:
        sealed: bytes = _library_cipher(key).encrypt(nonce, content, purpose)
        return sealed

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, purpose: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        try:
            content: bytes = _library_cipher(key).decrypt(nonce, sealed, purpose)
        except (InvalidTag, ValueError):
            return None
        return content


class Keyring:
    """The installation's keys; `repr` shows none of them."""

    def __init__(self, keys: Sequence[str], cipher: Cipher | None = None) -> None:
        if not keys or any(len(key) < KEY_LENGTH_MIN for key in keys):
            raise ValueError(
                f"EISHRO_SECRET_KEYS needs at least one key of {KEY_LENGTH_MIN} characters or more"
            )
        self._keys = [key.encode() for key in keys]
        self._cipher = cipher or LibraryCipher()
        self._derived: dict[tuple[int, str], bytes] = {}

    def derive(self, purpose: str, index: int = 0) -> bytes:
        """32 bytes for one purpose from key number `index` (0 is the one in use)."""
        found = self._derived.get((index, purpose))
        if found is None:
            found = hmac.digest(self._keys[index], b"eishro:" + purpose.encode(), hashlib.sha256)
            self._derived[index, purpose] = found
        return found

    def derive_all(self, purpose: str) -> list[bytes]:
        """The purpose's key from every installation key, the one in use first."""
        return [self.derive(purpose, index) for index in range(len(self._keys))]

    def sign(self, purpose: str, text: str) -> str:
        """A short signature (key id and 128-bit HMAC) of `text`, safe in URLs."""
        return self._sign(purpose, text, 0)

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """True if one of our keys made `signature` for `text` and `purpose`."""
        matches = False
        for index in range(len(self._keys)):
            expected = self._sign(purpose, text, index).encode()
            matches |= hmac.compare_digest(expected, signature.encode())
        return matches

    def seal(self, purpose: str, content: bytes) -> str:
        """Encrypt with AES-256-GCM; the text carries its nonce."""
        nonce = random_bytes()[:12]
        sealed = self._cipher.encrypt(self.derive(purpose), nonce, content, purpose.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, purpose: str, sealed: str) -> bytes:
        """Decrypt what `seal` made for the same purpose.

        Raises:
            BadSeal: no key opens it.
        """
        try:
            raw = base64.urlsafe_b64decode(sealed.encode())
        except ValueError as error:
            raise BadSeal from error
        for key in self.derive_all(purpose):
            content = self._cipher.decrypt(key, raw[:12], raw[12:], purpose.encode())
            if content is not None:
                return content
        raise BadSeal

    def renewed(self, purpose: str, sealed: str) -> str | None:
        """The same content sealed with the key in use; None: it is already.

        Raises:
            BadSeal: no key opens it.
        """
        content = self.open(purpose, sealed)
        raw = base64.urlsafe_b64decode(sealed.encode())
        newest = self.derive(purpose)
        if self._cipher.decrypt(newest, raw[:12], raw[12:], purpose.encode()) is not None:
            return None
        return self.seal(purpose, content)

    def knows_key_of(self, purpose: str, signature: str) -> bool:
        """True if the signature names a key that we have, whether or not it is right."""
        names = [base64.urlsafe_b64encode(_key_id(key))[:4] for key in self.derive_all(purpose)]
        return signature[:4].encode() in names

    def _sign(self, purpose: str, text: str, index: int) -> str:
        key = self.derive(purpose, index)
        mac = _keyed(key).copy()
        mac.update(text.encode())
        return base64.urlsafe_b64encode(_key_id(key) + mac.digest()[:16]).decode().rstrip("=")


@functools.lru_cache(maxsize=64)
def _library_cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


@functools.lru_cache(maxsize=64)
def _keyed(key: bytes) -> hmac.HMAC:
    """HMAC-SHA256 that has taken in the key; copied for every use."""
    return hmac.new(key, digestmod=hashlib.sha256)


@functools.lru_cache(maxsize=64)
def _key_id(key: bytes) -> bytes:
    """Three bytes that tell keys apart and say nothing of them."""
    return hashlib.sha256(key).digest()[:3]
