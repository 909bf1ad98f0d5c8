"""Mail and texts through a server that may fall silent: after a failure that took long it is left
alone for a while, and what comes meanwhile is refused at once, to be tried again later.

Else each message would wait for the same silence, and with it everything else that events lead to.
"""

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

    def is_on(self) -> bool:
        return self._until is not None and self._clock.now() < self._until

    def now(self) -> datetime:
        return self._clock.now()

    def failed(self, begun: datetime) -> None:
        """A message begun then has failed now, and might be taken later."""
        now = self._clock.now()
        if now - begun >= SLOW:
            self._until = now + PAUSE


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
        if self._rest.is_on():
            raise MailNotSent("the mail server did not answer just now", again=True)
        begun = self._rest.now()
        try:
            await self._mail.send(message)
        except MailNotSent as fault:
            if fault.again:
                self._rest.failed(begun)
            raise

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
        if self._rest.is_on():
            raise SmsNotSent("the SMS gateway did not answer just now", again=True)
        begun = self._rest.now()
        try:
            await self._sms.send(message)
        except SmsNotSent as fault:
            if fault.again:
                self._rest.failed(begun)
            raise

    async def aclose(self) -> None:
        """Close what it goes through."""
        await self._sms.aclose()
