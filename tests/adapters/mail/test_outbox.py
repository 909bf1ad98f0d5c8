"""The development outbox: the contract, restarts, and its bound."""

import asyncio
import stat
from pathlib import Path

import pytest

from eishro.adapters.mail import open_mail
from eishro.adapters.mail.outbox import OutboxMail
from eishro.domain.messages.port import MailNotSent, Message
from tests.contracts.mail import ARABIC, Arrived, MailContract

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mail"


@pytest.fixture
def mail(folder: Path) -> OutboxMail:
    return OutboxMail(folder)


class TestOutboxMail(MailContract):
    @pytest.fixture
    def arrived(self, mail: OutboxMail) -> Arrived:
        return lambda: [
            (str(one["to"]), str(one["subject"]), str(one["text"]))
            for one in reversed(mail.newest())
        ]


async def test_mails_survive_a_restart_with_their_links(mail: OutboxMail, folder: Path) -> None:
    await mail.send(ARABIC)
    assert OutboxMail(folder).newest() == [
        {
            "to": ARABIC.to,
            "subject": ARABIC.subject,
            "text": ARABIC.text,
            "links": list(ARABIC.links),
        }
    ]


async def test_the_newest_come_first_and_no_more_than_asked(mail: OutboxMail) -> None:
    for number in range(5):
        await mail.send(Message(to="a@example.ly", subject=f"{number}", text=""))
    assert [one["subject"] for one in mail.newest(limit=2)] == ["4", "3"]


async def test_the_oldest_make_room(folder: Path) -> None:
    mail = OutboxMail(folder, keep=3)
    for number in range(6):
        await mail.send(Message(to="a@example.ly", subject=f"{number}", text=""))
    assert [one["subject"] for one in mail.newest()] == ["5", "4", "3"]
    assert len(list(folder.iterdir())) == 3


async def test_two_processes_write_beside_each_other(folder: Path) -> None:
    boxes = [OutboxMail(folder, keep=1_000) for _ in range(2)]
    await asyncio.gather(
        *(
            boxes[number % 2].send(Message(to="a@example.ly", subject=f"{number}", text=""))
            for number in range(40)
        )
    )
    assert {one["subject"] for one in boxes[0].newest()} == {f"{n}" for n in range(40)}


async def test_others_cannot_read_the_mails(mail: OutboxMail, folder: Path) -> None:
    await mail.send(ARABIC)
    for path in [folder, *folder.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


async def test_a_folder_that_is_gone_is_reported(mail: OutboxMail, folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(MailNotSent) as refusal:
        await mail.send(ARABIC)
    assert refusal.value.again
    folder.mkdir()
    await mail.send(ARABIC)


async def test_without_a_mail_server_the_outbox_is_opened(tmp_path: Path) -> None:
    for nothing in (None, ""):
        assert isinstance(open_mail(nothing, "shop@example.ly", tmp_path), OutboxMail)
