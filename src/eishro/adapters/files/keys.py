"""The rules for keys, the same for every storage."""

import re

from eishro.domain.files.port import KEY_LENGTH_MAX, KEY_PATTERN, BadKey

# fullmatch, since `$` alone would let a newline at the end through.
_KEY = re.compile(KEY_PATTERN)


def check_key(key: str) -> None:
    """Refuse what is not a plain lower-case path: `..`, absolute paths, backslashes, NUL.

    Raises:
        BadKey: outside `KEY_PATTERN`, or longer than `KEY_LENGTH_MAX`.
    """
    if len(key) > KEY_LENGTH_MAX or _KEY.fullmatch(key) is None:
        raise BadKey(f"not a key: {key[:KEY_LENGTH_MAX]!r}")


def check_prefix(prefix: str) -> None:
    """Refuse what no key can begin with; the empty prefix and a last `/` are fine.

    Raises:
        BadKey: as for a key.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
