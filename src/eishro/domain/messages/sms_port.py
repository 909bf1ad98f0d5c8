"""Short messages to telephones, as the shop sees them."""

from typing import Protocol

import msgspec

from eishro.errors import Unavailable, Words


class Sms(msgspec.Struct, frozen=True, kw_only=True):
    """A text to one telephone (E.164)."""

    to: str
    text: str


class SmsNotSent(Exception):
    """The gateway refused or did not answer; `again` says whether a later try can help."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class SmsUnavailable(Unavailable):
    """This installation has no gateway for short messages."""

    words = Words(
        "Text messages cannot be sent here; the operator has set up no SMS gateway.",
        "لا يمكن إرسال رسائل نصية هنا؛ لم يتم إعداد بوابة للرسائل القصيرة.",
    )


class SmsGateway(Protocol):
    """Sends one text, or raises `SmsNotSent`."""

    @property
    def is_ready(self) -> bool:
        """False where nothing is set up, so that nobody waits for a text."""
        ...

    async def send(self, message: Sms) -> None:
        """Hand the text over; it may arrive twice."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class NoSms:
    """Where no gateway is set."""

    is_ready = False

    async def send(self, message: Sms) -> None:
        """Refuse."""
        del message
        raise SmsNotSent("EISHRO_SMS_URL is not set", again=False)

    async def aclose(self) -> None:
        """Nothing is open."""
