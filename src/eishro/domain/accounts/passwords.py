"""Which passwords are refused: the ones that guessers try first.

The list is zxcvbn's, 30,000 passwords of public leaks by frequency; about a thousand of them are
long enough to pass our length. It is loaded at the first new password.
"""

import functools

from eishro.errors import Invalid, Words

_TOO_COMMON = Words(
    "This password is among those that are guessed first; choose another.",
    "كلمة المرور هذه من الكلمات التي يسهل تخمينها؛ اختر غيرها.",
)
DIFFERENT_MIN = 4  # characters


def check_password(password: str, email: str, field: str = "password") -> None:
    """Refuse a new password that is common, too uniform, or the address itself.

    Its length is the wire's rule.

    Raises:
        Invalid: naming `field`.
    """
    folded = password.casefold()
    mailbox = email.partition("@")[0]
    if (
        folded in _common()
        or folded.rstrip("0123456789!.?") in _common()
        or len(set(folded)) < DIFFERENT_MIN
        or folded in (email, mailbox)
    ):
        raise Invalid({field: _TOO_COMMON})


@functools.cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8)
