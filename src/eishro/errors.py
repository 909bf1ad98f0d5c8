"""The seven kinds of refusal this code base knows.

A concrete error subclasses one kind, carries a stable `code` and a sentence for people in
English and Arabic, and is defined beside the rule that raises it. `web/errors.py` alone knows
HTTP statuses. Anything else that is raised is a fault of ours.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple


class Words(NamedTuple):
    """One sentence for people, in the two languages the platform speaks."""

    en: str
    ar: str

    def in_(self, language: str) -> str:
        """The sentence in `language` (`ar`, anything else is English)."""
        return self.ar if language == "ar" else self.en


class ShopError(Exception):
    """A refusal that a person or a program can act on; never a fault of ours."""

    code: ClassVar[str] = "BAD_REQUEST"
    words: Words = Words("The request cannot be carried out.", "تعذر تنفيذ الطلب.")

    def __init__(
        self, words: Words | None = None, *, details: Mapping[str, object] | None = None
    ) -> None:
        if words is not None:
            self.words = words
        self.details: Mapping[str, object] = details or {}
        super().__init__(self.words.en)


class Invalid(ShopError):
    """Input that breaks a rule; `faults` maps each field path to what is expected there."""

    code = "VALIDATION_ERROR"
    words = Words("Some fields are not valid.", "بعض الحقول غير صحيحة.")

    def __init__(self, faults: Mapping[str, Words]) -> None:
        super().__init__()
        self.faults = dict(faults)


class Unauthenticated(ShopError):
    """Nobody we know, or no longer."""

    code = "UNAUTHORIZED"
    words = Words("Please sign in.", "يرجى تسجيل الدخول.")


class Forbidden(ShopError):
    """Known, but not allowed."""

    code = "FORBIDDEN"
    words = Words("You are not allowed to do this.", "ليست لديك صلاحية للقيام بذلك.")


class NotFound(ShopError):
    """No such thing, or the caller may not know that it exists."""

    code = "NOT_FOUND"
    words = Words("Nothing was found here.", "لم يتم العثور على شيء هنا.")


class Conflict(ShopError):
    """The state of things does not allow it now."""

    code = "CONFLICT"
    words = Words("This conflicts with the current state.", "يتعارض هذا مع الحالة الحالية.")


class Limited(ShopError):
    """Too much, too often."""

    code = "RATE_LIMITED"
    words = Words(
        "Too many requests; please wait a little.", "طلبات كثيرة جدا؛ يرجى الانتظار قليلا."
    )

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ShopError):
    """Something we depend on does not answer; trying again later can help."""

    code = "UNAVAILABLE"
    words = Words(
        "The service is busy; please try again shortly.",
        "الخدمة مشغولة؛ يرجى المحاولة بعد قليل.",
    )


class Stale(Conflict):
    """Somebody was faster: the row changed between our read and our write."""

    words = Words(
        "This was changed by somebody else; please reload and try again.",
        "تم تعديل هذا من قبل شخص آخر؛ يرجى التحديث والمحاولة مرة أخرى.",
    )
