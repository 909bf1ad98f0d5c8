"""The development outbox: mails are kept in a folder, to be read instead of sent.

One JSON file a mail, named by its time, so that a restart keeps them and several processes may
write. Mails hold links that let people in: the folder is for its owner alone.
"""

import asyncio
import os
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from eishro.domain.messages.port import MailNotSent, Message
from eishro.priority import give_way

KEEP = 500
_NAME = re.compile(r"[0-9].*\.json")


class OutboxMail:
    """Keeps the newest `keep` mails (and up to a tenth more) in `folder`, which is made when
    missing.
    """

    def __init__(self, folder: Path, keep: int = KEEP) -> None:
        self._folder = folder
        self._keep = keep
        self._last_nanoseconds = 0
        self._since_tidied = 0
        # Nobody waits for a mail of development.
        self._thread = ThreadPoolExecutor(1, "outbox", initializer=give_way)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def send(self, message: Message) -> None:
        """Put the mail into the outbox; the oldest ones make room.

        Raises:
            MailNotSent: the folder cannot be written.
        """
        # The name decides the order, so two mails of one process never share a time.
        self._last_nanoseconds = max(time.time_ns(), self._last_nanoseconds + 1)
        name = f"{self._last_nanoseconds:020}-{secrets.token_hex(4)}.json"
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._write, name, message)
        except OSError as fault:
            raise MailNotSent(f"cannot write the outbox: {fault.strerror}", again=True) from fault

    async def check(self) -> None:
        """See that the folder can be written.

        Raises:
            MailNotSent: it cannot.
        """
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise MailNotSent("cannot write the outbox", again=True)

    def newest(self, limit: int = 100) -> list[dict[str, object]]:
        """The newest mails first, each as `{to, subject, text, links}`."""
        mails: list[dict[str, object]] = []
        for path in reversed(self._paths()):
            if len(mails) >= limit:
                break
            try:
                mails.append(msgspec.json.decode(path.read_bytes(), type=dict[str, object]))
            except FileNotFoundError:
                continue  # another process made room
        return mails

    def count_older(self, before_seconds: int) -> int:
        """How many mails are older than this instant (seconds since 1970)."""
        return len(self._older(before_seconds))

    def forget_older(self, before_seconds: int) -> int:
        """Remove them; how many there were."""
        older = self._older(before_seconds)
        for path in older:
            path.unlink(missing_ok=True)
        return len(older)

    def forget_to(self, receiver: str) -> int:
        """Remove the mails to this address; how many there were."""
        gone = 0
        for path in self._paths():
            try:
                mail = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
            except FileNotFoundError:
                continue  # another process made room
            if mail["to"] == receiver:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    async def aclose(self) -> None:
        """Let what is being written be written."""
        self._thread.shutdown()

    def _older(self, before_seconds: int) -> list[Path]:
        end = f"{before_seconds * 1_000_000_000:020}"
        return [path for path in self._paths() if path.name < end]

    def _write(self, name: str, message: Message) -> None:
        mail = {
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "links": message.links,
        }
        # A reader passes over names with a dot in front: half a mail is never shown.
        incoming = self._folder / f".{name}"
        incoming.touch(mode=0o600)
        incoming.write_bytes(msgspec.json.encode(mail))
        incoming.replace(self._folder / name)
        # Looking through the folder takes longer than writing a mail, so not at each.
        self._since_tidied += 1
        if self._since_tidied * 10 >= self._keep:
            self._since_tidied = 0
            for path in self._paths()[: -self._keep]:
                path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        # Hundreds of names: not by `glob`, whose milliseconds everybody else would wait for.
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
        return [self._folder / name for name in sorted(names)]
