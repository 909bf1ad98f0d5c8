"""What Masarat answers, read: envelopes, tokens, and what became of a session. Pure.

The envelope is `{type, message | messages[], traceId, content}`; the content of signing in and of
opening a session holds `value` and `validTo`, that of completing one is not public.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from eishro.adapters.payments.wire import is_down, read_object
from eishro.domain.payments.port import Answer, Failed, Paid, Receipt, Unknown, WrongCode
from eishro.money import dirhams_from_decimal
from eishro.outward import HttpReply

# Some answer a refusal with these; what else is no 200 comes from something in between.
_STATUSES = (200, 400, 409, 422)
_LONG_NUMBER = re.compile(r"[0-9]{4,}")
TEXT_LENGTH_MAX = 200


class Meanings(msgspec.Struct, frozen=True, kw_only=True):
    """What types and texts mean; texts are folded parts of a message."""

    success_type: int = 1
    failure_types: tuple[int, ...] = (3,)
    wrong_code: tuple[str, ...] = ("otp", "رمز")
    expired: tuple[str, ...] = ("expired", "منتهي", "انتهت")
    unclear: tuple[str, ...] = ("timeout", "timed out", "pending", "processing")


class Envelope(NamedTuple):
    """An answer's outside; `text` has no long numbers."""

    type: int
    text: str
    trace: str
    content: Mapping[str, Any]


class Token(NamedTuple):
    """What the next call carries; `valid_to` None is not known."""

    value: str
    valid_to: datetime | None

    @property
    def session(self) -> dict[str, str]:
        """As it is kept between calls."""
        until = "" if self.valid_to is None else self.valid_to.isoformat()
        return {"token": self.value, "valid_to": until}

    @classmethod
    def of(cls, session: Mapping[str, str]) -> "Token | None":
        """What `session` gave; None if it holds none."""
        value = session.get("token", "")
        return cls(value, _instant(session.get("valid_to"))) if value else None


def read_envelope(reply: HttpReply) -> Envelope | None:
    """The envelope; None if the answer is anything else."""
    if reply.status not in _STATUSES:
        return None
    found = read_object(reply.body, Decimal)
    if found is None or not isinstance(found.get("type"), int) or isinstance(found["type"], bool):
        return None
    content, trace = found.get("content"), found.get("traceId")
    return Envelope(
        type=found["type"],
        text=_text(found),
        trace=trace[:64] if isinstance(trace, str) else "",
        content=content if isinstance(content, dict) else {},
    )


def read_token(reply: HttpReply, meanings: Meanings) -> Token | None:
    """The token that a good answer holds."""
    envelope = read_envelope(reply)
    if envelope is None or reply.status != 200 or envelope.type != meanings.success_type:
        return None
    value = envelope.content.get("value")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{1,4000}", value):
        return None
    return Token(value, _instant(envelope.content.get("validTo")))


def read_completion(
    reply: HttpReply, meanings: Meanings, *, transaction: str, terminal: str, asked_dirhams: int
) -> Answer | WrongCode:
    """What became of the session. The content is not public: what it says of the transaction, the
    amount or the currency must fit, what it leaves out is taken to be what was asked.
    """
    if reply.status == 401:  # the session's token itself is not taken: it never came to a code
        return WrongCode("the session is not accepted any more", is_expired=True)
    envelope = read_envelope(reply)
    if envelope is None:
        return Unknown(
            f"HTTP status {reply.status} without an answer", is_unreachable=is_down(reply.status)
        )
    if envelope.type == meanings.success_type and reply.status == 200:
        return _paid(envelope, transaction, terminal, asked_dirhams)
    if envelope.type not in meanings.failure_types:
        return Unknown(f"an answer of type {envelope.type}")
    return _no(envelope.text, meanings)


def _no(text: str, meanings: Meanings) -> Answer | WrongCode:
    folded = text.casefold()
    reason = text or "the gateway refuses"
    if any(part in folded for part in meanings.unclear):
        return Unknown(reason)
    if any(part in folded for part in meanings.expired):
        return WrongCode(reason, is_expired=True)
    if any(part in folded for part in meanings.wrong_code):
        return WrongCode(reason)
    return Failed(reason)


def _paid(envelope: Envelope, transaction: str, terminal: str, asked_dirhams: int) -> Answer:
    content = envelope.content
    if content.get("transactionId", transaction) not in (transaction, None):
        return Unknown("an answer about another transaction", is_foreign=True)
    if content.get("currency") not in (None, "LYD", "434", 434):
        return Unknown("an answer in another currency", is_foreign=True)
    dirhams: int | None = asked_dirhams
    if content.get("amount") is not None:
        dirhams = _dirhams(content["amount"])
    if dirhams is None or dirhams <= 0:
        return Unknown("an answer with an amount that cannot be read")
    details = {"trace": envelope.trace} if envelope.trace else {}
    return Paid(
        (
            Receipt(
                provider_reference=transaction,
                terminal=terminal,
                amount_dirhams=dirhams,
                currency="LYD",
                details=details,
            ),
        )
    )


def _dirhams(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        return dirhams_from_decimal(Decimal(value))
    except (ValueError, ArithmeticError):
        return None


def _text(found: Mapping[str, Any]) -> str:
    message, messages = found.get("message"), found.get("messages")
    parts = [message] if isinstance(message, str) else []
    if isinstance(messages, list):
        parts += [part for part in messages if isinstance(part, str)]
    return _LONG_NUMBER.sub("…", " ".join(" ".join(parts).split())[:TEXT_LENGTH_MAX])


def _instant(value: object) -> datetime | None:
    """ISO 8601, UTC where nothing is said; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    # At the rims of the calendar there is no UTC of it.
    if not 1970 < found.year < 9000:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
