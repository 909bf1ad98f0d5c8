"""Passwords by bcrypt over a SHA-256 prehash, in one low-priority thread with a short queue.

bcrypt ignores what follows byte 72, so the password is hashed and base64-encoded first (44
bytes, no NUL). One thread, because a login must not take both cores from the shop's reads.
"""

import asyncio
import base64
import concurrent.futures
import hashlib
from collections.abc import Callable
from typing import TypeVar

import bcrypt

from eishro.domain.accounts.port import HasherBusy
from eishro.priority import give_way

T = TypeVar("T")

WAITING_MAX = 200  # passwords in the queue; beyond it callers are told to come back


class BcryptHasher:
    """The `Hasher` port; `cost` is the base-2 logarithm of bcrypt's rounds (4 to 31)."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._waiting = 0
        self._thread = concurrent.futures.ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="hasher", initializer=give_way
        )
        # What a stored hash is compared with when there is nobody: same cost, no password.
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        return await self._queued(self._hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        return await self._queued(self._verify, password, stored)

    async def aclose(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _queued(self, work: Callable[..., T], *values: object) -> T:
        if self._waiting >= WAITING_MAX:
            raise HasherBusy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)
        finally:
            self._waiting -= 1

    def _hash(self, password: str) -> str:
        return bcrypt.hashpw(_prehash(password), bcrypt.gensalt(self._cost)).decode()

    def _verify(self, password: str, stored: str | None) -> bool:
        if self._nobody is None:  # made for whoever asks first, so that its time tells nothing
            self._nobody = self._hash("nobody")
        if stored is None:
            bcrypt.checkpw(_prehash(password), self._nobody.encode())
            return False
        return bcrypt.checkpw(_prehash(password), stored.encode())


def _prehash(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())
