"""Text ids: a prefix and 26 characters that sort by time and cannot be guessed.

48 bits of milliseconds and 80 random bits in Crockford's base 32 (lower case), the layout of
a ULID. Integer ids come from blocks reserved in the database: `db/id_blocks.py`.
"""

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]

# For references that people read aloud or type: no look-alikes (0/O, 1/I/L), no vowels that
# could spell a word.
_READABLE = "23456789BCDFGHJKMNPQRSTVWXZ"


def text_id(prefix: str, at: datetime) -> str:
    """A new id such as `ord_01kb3v…`; unique without asking the database."""
    number = (int(at.timestamp() * 1000) << 80) | secrets.randbits(80)
    pairs = []
    for _ in range(13):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    return f"{prefix}_{''.join(reversed(pairs))}"


def readable_code(length: int) -> str:
    """A random code for people, e.g. an order number; `length` characters of 27."""
    return "".join(secrets.choice(_READABLE) for _ in range(length))
