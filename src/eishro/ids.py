"""Text ids: a prefix and 26 characters that sort by time and cannot be guessed.

48 bits of milliseconds and 80 random bits in Crockford's base 32 (lower case), the layout of
a ULID. Integer ids come from blocks reserved in the database: `db/id_blocks.py`.
"""

import functools
import os
from collections import deque
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RANDOM_LENGTH = 16  # bytes; as characters of an id, 5 bits each
_PAGE = 256 * RANDOM_LENGTH
# Any byte to one of the 32 characters: 256 is a multiple of 32, so all are equally likely.
_CHARACTER = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))

# For references that people read aloud or type: no look-alikes (0/O, 1/I/L), no vowels that
# could spell a word.
_READABLE = "23456789BCDFGHJKMNPQRSTVWXZ"
_READABLE_CHARACTER = bytes(ord(_READABLE[byte % len(_READABLE)]) for byte in range(256))
# Bytes beyond the last whole round of the alphabet would make its first characters likelier.
_UNEVEN = bytes(range(256 - 256 % len(_READABLE), 256))

# The system's randomness, a page at a time: asking it costs more than everything else here.
# Taking from a deque is atomic, so no two threads get the same bytes; a forked child starts anew.
_fetched: deque[bytes] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fetched.clear)


def random_bytes() -> bytes:
    """`RANDOM_LENGTH` bytes of the operating system's randomness, fit for secrets."""
    try:
        return _fetched.pop()
    except IndexError:
        page = os.urandom(_PAGE)
        _fetched.extend(page[i : i + RANDOM_LENGTH] for i in range(0, _PAGE, RANDOM_LENGTH))
        return os.urandom(RANDOM_LENGTH)


def text_id(prefix: str, at: datetime) -> str:
    """A new id such as `ord_01kb3v…`; unique without asking the database."""
    random = random_bytes().translate(_CHARACTER).decode()
    return f"{prefix}_{_time_part(int(at.timestamp() * 1000))}{random}"


def first_id(prefix: str, at: datetime) -> str:
    """Below every id made at `at` or later, above every id made before its millisecond."""
    return f"{prefix}_{_time_part(max(0, int(at.timestamp() * 1000)))}"


def last_id(prefix: str, at: datetime) -> str:
    """Above every id made in the millisecond of `at` or before, below every later one."""
    return first_id(prefix, at) + _ALPHABET[-1] * (RANDOM_LENGTH + 1)


@functools.lru_cache(maxsize=8)
def _time_part(milliseconds: int) -> str:
    """48 bits as 10 characters; ids of one batch share it."""
    return "".join(_ALPHABET[milliseconds >> shift & 31] for shift in range(45, -1, -5))


def readable_code(length: int) -> str:
    """A random code for people, e.g. an order number; `length` characters of 27."""
    code = b""
    while len(code) < length:
        code += random_bytes().translate(_READABLE_CHARACTER, _UNEVEN)
    return code[:length].decode()
