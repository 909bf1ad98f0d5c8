"""Mail and texts through a server that may fall silent: after a failure that took long it is left
alone for a while, and what comes meanwhile is refused at once, to be tried again later.

Else each message would wait for the same silence, and with it everything else that events lead to.
"""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from eishro.clock import Clock, SystemClock
from eishro.domain.messages.port import Mail, MailNotSent, Message
from eishro.domain.messages.sms_port import Sms, SmsGateway, SmsNotSent

SLOW = timedelta(seconds=5)  # a failure that took so long was silence
PAUSE = timedelta(seconds=30)


class _Rest:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: datetime | None = None

    @contextlib.contextmanager
    def kept(self, not_sent: type[MailNotSent] | type[SmsNotSent], server: str) -> Iterator[None]:
        """Around one message: refused at once while it is on, and begun by a long silence."""
        begun = self._clock.now()
        if self._until is not None and begun < self._until:
            raise not_sent(f"{server} did not answer just now", again=True)
        try:
            yield
        except not_sent as fault:
            now = self._clock.now()
            if fault.again and now - begun >= SLOW:
                self._until = now + PAUSE
            raise


class RestingMail:
    """The mail system, left alone while it does not answer."""

    def __init__(self, mail: Mail, clock: Clock | None = None) -> None:
        self._mail = mail
        self._rest = _Rest(clock or SystemClock())

    async def send(self, message: Message) -> None:
        """Hand the message on.

        Raises:
            MailNotSent: also where it was not even tried.
        """
        with self._rest.kept(MailNotSent, "the mail server"):
            await self._mail.send(message)

    async def check(self) -> None:
        """Ask the server itself, at rest or not.

        Raises:
            MailNotSent
        """
        await self._mail.check()

    async def aclose(self) -> None:
        """Close what it goes through."""
        await self._mail.aclose()


class RestingSms:
    """The SMS gateway, left alone while it does not answer."""

    is_ready = True

    def __init__(self, sms: SmsGateway, clock: Clock | None = None) -> None:
        self._sms = sms
        self._rest = _Rest(clock or SystemClock())

    async def send(self, message: Sms) -> None:
        """Hand the text on.

        Raises:
            SmsNotSent: also where it was not even tried.
        """
        with self._rest.kept(SmsNotSent, "the SMS gateway"):
            await self._sms.send(message)

    async def aclose(self) -> None:
        """Close what it goes through."""
        await self._sms.aclose()
