"""From the shop's refusals to HTTP: statuses, the error shape, the two languages."""

from datetime import datetime

import msgspec

from eishro.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Limited,
    NotFound,
    ShopError,
    Unauthenticated,
    Unavailable,
    Words,
)


class BadRequest(ShopError):
    """The request itself has the wrong shape: not JSON, not an object, a bad header."""

    code = "BAD_REQUEST"
    words = Words("The request cannot be read.", "تعذرت قراءة الطلب.")


class MethodNotAllowed(ShopError):
    """The path is known, the method is not."""

    code = "METHOD_NOT_ALLOWED"
    words = Words("This method is not allowed here.", "هذه الطريقة غير مسموح بها هنا.")


class PreconditionFailed(ShopError):
    """`If-Match` names another version."""

    code = "PRECONDITION_FAILED"
    words = Words(
        "This was changed in the meantime; please reload.",
        "تم تعديل هذا في هذه الأثناء؛ يرجى التحديث.",
    )


class PayloadTooLarge(ShopError):
    """The body is larger than the limit."""

    code = "PAYLOAD_TOO_LARGE"
    words = Words("The request is too large.", "حجم الطلب كبير جدا.")


class BodyTooSlow(ShopError):
    """The body did not arrive in time."""

    code = "REQUEST_TIMEOUT"
    words = Words("The request took too long to arrive.", "استغرق وصول الطلب وقتا طويلا.")


class UnsupportedMediaType(ShopError):
    """The body is not JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    words = Words(
        "Send JSON with Content-Type: application/json.",
        "أرسل JSON مع Content-Type: application/json.",
    )


class KeyReused(ShopError):
    """The idempotency key was used for another body."""

    code = "IDEMPOTENCY_KEY_REUSED"
    words = Words(
        "This Idempotency-Key was used for a different request.",
        "استُخدم Idempotency-Key هذا مع طلب مختلف.",
    )


INTERNAL = Words(
    "Something went wrong on our side; the request id helps us find it.",
    "حدث خطأ من جانبنا؛ رقم الطلب يساعدنا في العثور عليه.",
)

# A concrete code wins over its kind; kinds are looked up along the class's ancestry.
_BY_CODE = {
    "PROVIDER_ERROR": 502,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "NOT_AVAILABLE_HERE": 501,
    "D1_LIMIT": 413,
}
_BY_KIND: dict[type[ShopError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Limited: 429,
    Unavailable: 503,
    BadRequest: 400,
    MethodNotAllowed: 405,
    PreconditionFailed: 412,
    PayloadTooLarge: 413,
    BodyTooSlow: 408,
    UnsupportedMediaType: 415,
}


def status_of(error: ShopError) -> int:
    """The HTTP status of a refusal."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    for kind in type(error).__mro__:
        if kind in _BY_KIND:
            return _BY_KIND[kind]
    return 400


def error_body(error: ShopError, language: str, at: datetime) -> bytes:
    """The one error shape of api.md."""
    details: dict[str, object] = dict(error.details)
    if isinstance(error, Invalid):
        details = {path: words.in_(language) for path, words in error.faults.items()}
    return _shape(error.code, error.words.in_(language), details, at)


def fault_body(request_id: str, language: str, at: datetime) -> bytes:
    """A fault of ours shows nothing but the request id."""
    return _shape("INTERNAL_ERROR", INTERNAL.in_(language), {"requestId": request_id}, at)


def _shape(code: str, message: str, details: dict[str, object], at: datetime) -> bytes:
    return msgspec.json.encode(
        {
            "success": False,
            "error": {"code": code, "message": message, "details": details},
            "timestamp": at,
        }
    )
