"""Mail as the shop sees it."""

from typing import Protocol, runtime_checkable

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A plain-text mail to one person. `links` repeats the addresses inside `text`."""

    to: str
    subject: str
    text: str
    links: tuple[str, ...] = ()


class MailNotSent(Exception):
    """The mail server refused or did not answer.

    `again` says whether a later try can help (a refused address will not get better).
    """

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class Mail(Protocol):
    """Sends one message, or raises `MailNotSent`."""

    async def send(self, message: Message) -> None:
        """Hand the message to the mail system; it may arrive twice, never half."""
        ...

    async def check(self) -> None:
        """Find out, without sending anything, whether mail could be sent now.

        Raises:
            MailNotSent: it could not.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@runtime_checkable
class KeepsLetters(Protocol):
    """An outbox of development: what was sent, mail or text, lies in files."""

    def count_older(self, before_seconds: int) -> int:
        """How many letters are older."""
        ...

    def forget_older(self, before_seconds: int) -> int:
        """Delete them; how many there were."""
        ...

    def forget_to(self, receiver: str) -> int:
        """Delete those to this address or telephone; how many there were."""
        ...
