"""Text ids: a prefix and 26 characters that sort by time and cannot be guessed.

48 bits of milliseconds and 80 random bits in Crockford's base 32 (lower case), the layout of
a ULID. Integer ids come from blocks reserved in the database: `db/id_blocks.py`.
"""

import functools
import os
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_LENGTH = 16  # characters of 5 bits each
# Any byte to one of the 32 characters: 256 is a multiple of 32, so all are equally likely.
_CHARACTER = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))

# For references that people read aloud or type: no look-alikes (0/O, 1/I/L), no vowels that
# could spell a word.
_READABLE = "23456789BCDFGHJKMNPQRSTVWXZ"
_READABLE_CHARACTER = bytes(ord(_READABLE[byte % len(_READABLE)]) for byte in range(256))
# Bytes beyond the last whole round of the alphabet would make its first characters likelier.
_UNEVEN = bytes(range(256 - 256 % len(_READABLE), 256))


def text_id(prefix: str, at: datetime) -> str:
    """A new id such as `ord_01kb3v…`; unique without asking the database."""
    random = os.urandom(_RANDOM_LENGTH).translate(_CHARACTER).decode()
    return f"{prefix}_{_time_part(int(at.timestamp() * 1000))}{random}"


@functools.lru_cache(maxsize=8)
def _time_part(milliseconds: int) -> str:
    """48 bits as 10 characters; ids of one batch share it."""
    return "".join(_ALPHABET[milliseconds >> shift & 31] for shift in range(45, -1, -5))


def readable_code(length: int) -> str:
    """A random code for people, e.g. an order number; `length` characters of 27."""
    code = b""
    while len(code) < length:
        code += os.urandom(2 * length).translate(_READABLE_CHARACTER, _UNEVEN)
    return code[:length].decode()
