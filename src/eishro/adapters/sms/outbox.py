"""The development outbox of short messages: they stand beside the mails, to be read there."""

from pathlib import Path

from eishro.adapters.mail.outbox import OutboxMail
from eishro.domain.messages.port import MailNotSent, Message
from eishro.domain.messages.sms_port import Sms, SmsNotSent


class OutboxSms:
    """Keeps the newest texts in `folder`, one JSON file each, for its owner alone."""

    is_ready = True

    def __init__(self, folder: Path) -> None:
        self._kept = OutboxMail(folder)

    async def send(self, message: Sms) -> None:
        """Put the text into the outbox.

        Raises:
            SmsNotSent: the folder cannot be written.
        """
        try:
            await self._kept.send(Message(to=message.to, subject="SMS", text=message.text))
        except MailNotSent as fault:
            raise SmsNotSent(str(fault), again=fault.again) from fault

    def newest(self, limit: int = 100) -> list[dict[str, object]]:
        """The newest texts first, each as `{to, text}`."""
        return [{"to": one["to"], "text": one["text"]} for one in self._kept.newest(limit)]

    def count_older(self, before_seconds: int) -> int:
        """How many texts are older than this instant (seconds since 1970)."""
        return self._kept.count_older(before_seconds)

    def forget_older(self, before_seconds: int) -> int:
        """Remove them; how many there were."""
        return self._kept.forget_older(before_seconds)

    def forget_to(self, receiver: str) -> int:
        """Remove the texts to this telephone; how many there were."""
        return self._kept.forget_to(receiver)

    async def aclose(self) -> None:
        """Let what is being written be written."""
        await self._kept.aclose()
