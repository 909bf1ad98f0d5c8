"""What every key-value adapter refuses, so that a caller's fault shows on the first day."""

from eishro.db.keyvalue import KEY_LENGTH_MAX, VALUE_BYTES_MAX


def check_key(key: str) -> None:
    """Refuse a key that some store could not hold: lengths are UTF-8 bytes.

    Raises:
        ValueError: empty, or longer than `KEY_LENGTH_MAX`.
    """
    if not 0 < len(key.encode()) <= KEY_LENGTH_MAX:
        raise ValueError(f"a key has 1 to {KEY_LENGTH_MAX} bytes: {key[:80]!r}")


def check_ttl(ttl_seconds: float) -> None:
    """Refuse a time to live that is not a positive, finite number of seconds.

    Raises:
        ValueError: zero, negative, infinite or not a number.
    """
    if not 0 < ttl_seconds < float("inf"):
        raise ValueError(f"a time to live is more than 0 seconds: {ttl_seconds}")


def check_value(value: bytes) -> None:
    """Refuse a value larger than `VALUE_BYTES_MAX`.

    Raises:
        ValueError: too large.
    """
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes, not {len(value)}")
