"""Mail over SMTP to a real server: the contract, refusals, TLS, hostile headers."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32
from pathlib import Path

import pytest

from eishro.adapters.mail import open_mail
from eishro.adapters.mail import smtp as adapter
from eishro.adapters.mail.smtp import SmtpMail
from eishro.clock import ManualClock
from eishro.db.outbox import LEASE
from eishro.domain.messages.port import Mail, MailNotSent, Message
from tests.contracts.mail import ARABIC, Arrived, MailContract
from tests.servers.certificates import make_certificate
from tests.servers.ports import free_port
from tests.servers.smtp import SmtpServer

pytestmark = pytest.mark.anyio

SENDER = "متجر إيشرو <shop@example.ly>"
PLAIN = Message(to="a@example.ly", subject="s", text="t\n")


@pytest.fixture
def mail(smtp: SmtpServer, tmp_path: Path) -> Mail:
    return open_mail(f"smtp://{smtp.address}", SENDER, tmp_path)


@contextmanager
def running(server: SmtpServer) -> Iterator[SmtpServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


class TestSmtpMail(MailContract):
    @pytest.fixture
    def arrived(self, smtp: SmtpServer) -> Arrived:
        return lambda: [
            (recipient, str(one["Subject"]), one.get_content().replace("\r\n", "\n"))
            for recipient, one in zip(smtp.recipients, smtp.received, strict=True)
        ]


async def test_the_headers_say_who_when_and_which(smtp: SmtpServer) -> None:
    clock = ManualClock(datetime(2026, 1, 15, 8, 30, tzinfo=UTC))
    mail = SmtpMail(f"smtp://{smtp.address}", SENDER, clock=clock)
    await mail.send(ARABIC)
    await mail.send(ARABIC)
    first, second = smtp.received
    assert first["From"] == SENDER
    assert first["To"] == ARABIC.to
    assert first["Date"] == "Thu, 15 Jan 2026 08:30:00 +0000"
    assert first["Message-ID"].endswith("@example.ly>")
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content_type() == "text/plain"
    assert first.get_content_charset() == "utf-8"


@pytest.mark.parametrize(
    "hostile",
    [
        Message(to="a@example.ly", subject="s\r\nBcc: victim@example.ly", text="t"),
        Message(to="a@example.ly", subject="s\nBcc: victim@example.ly", text="t"),
        Message(to="a@example.ly\r\nBcc: victim@example.ly", subject="s", text="t"),
        Message(to="a@example.ly>\r\nRCPT TO:<victim@example.ly", subject="s", text="t"),
        Message(to="a@example.ly, victim@example.ly", subject="s", text="t"),
        Message(to="A <a@example.ly>", subject="s", text="t"),
        Message(to="@example.ly", subject="s", text="t"),
        Message(to="nobody", subject="s", text="t"),
        Message(to="", subject="s", text="t"),
        Message(to="a" * 250 + "@example.ly", subject="s", text="t"),
        Message(to="a@example.ly", subject="s", text="lone surrogate \ud800"),
    ],
)
async def test_a_hostile_header_is_refused_for_good(
    mail: Mail, smtp: SmtpServer, hostile: Message
) -> None:
    with pytest.raises(MailNotSent) as refusal:
        await mail.send(hostile)
    assert not refusal.value.again
    assert smtp.received == []


async def test_a_hostile_body_cannot_end_the_message(mail: Mail, smtp: SmtpServer) -> None:
    text = "one\r\n.\r\nMAIL FROM:<x@example.ly>\r\nBcc: victim@example.ly\r\n"
    await mail.send(Message(to="a@example.ly", subject="s", text=text))
    (received,) = smtp.received
    assert received.get_content() == text
    assert received["Bcc"] is None


async def test_a_domain_in_arabic_travels_in_ascii(mail: Mail, smtp: SmtpServer) -> None:
    await mail.send(Message(to="a@مثال.ليبيا", subject="s", text="t"))
    (recipient,) = smtp.recipients
    assert recipient.isascii()
    assert recipient.startswith("a@xn--")


@pytest.mark.parametrize(
    ("refuse_recipient", "refuse_message", "again"),
    [
        ("550 5.1.1 no such mailbox", None, False),
        ("452 4.2.2 mailbox full", None, True),
        (None, "554 5.7.1 looks like spam", False),
        (None, "451 4.3.0 try later", True),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    mail: Mail,
    smtp: SmtpServer,
    refuse_recipient: str | None,
    refuse_message: str | None,
    again: bool,
) -> None:
    smtp.refuse_recipient, smtp.refuse_message = refuse_recipient, refuse_message
    with pytest.raises(MailNotSent) as refusal:
        await mail.send(PLAIN)
    assert refusal.value.again is again


async def test_a_dead_server_is_reported_and_found_again(mail: Mail, smtp: SmtpServer) -> None:
    await mail.send(PLAIN)
    smtp.stop()
    with pytest.raises(MailNotSent) as refusal:
        await mail.send(PLAIN)
    assert refusal.value.again
    smtp.start()
    await mail.send(PLAIN)
    assert len(smtp.received) == 2


async def test_a_long_arabic_sender_keeps_its_spaces(smtp: SmtpServer) -> None:
    name = "متجر إيشرو الكبير للملابس والأحذية والأجهزة المنزلية في ليبيا"
    await SmtpMail(f"smtp://{smtp.address}", f"{name} <shop@example.ly>").send(PLAIN)
    # Read as most clients do; the parser of Python 3.11 splits words of its own accord.
    written = message_from_bytes(smtp.received[0].as_bytes(policy=compat32), policy=compat32)
    assert str(make_header(decode_header(written["From"]))) == f"{name} <shop@example.ly>"


async def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hung_up = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"220-wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        hung_up.set()

    monkeypatch.setattr(adapter, "TOTAL_SECONDS_MAX", 0.2)
    port = free_port()
    server = await asyncio.start_server(drip, "127.0.0.1", port)
    with pytest.raises(MailNotSent) as refusal:
        await SmtpMail(f"smtp://127.0.0.1:{port}", SENDER).send(PLAIN)
    assert refusal.value.again
    await hung_up.wait()
    server.close()
    await server.wait_closed()


async def test_a_silent_server_is_reported_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hung_up = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    monkeypatch.setattr(adapter, "TIMEOUT_SECONDS", 0.2)
    port = free_port()
    server = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    with pytest.raises(MailNotSent) as refusal:
        await SmtpMail(f"smtp://127.0.0.1:{port}", SENDER).send(PLAIN)
    assert refusal.value.again
    await hung_up.wait()
    server.close()
    await server.wait_closed()


async def test_the_login_of_the_address_is_used() -> None:
    with running(SmtpServer(login=("shop@example.ly", "pass/w:rd"))) as server:
        address = f"smtp://shop%40example.ly:pass%2Fw%3Ard@{server.address}"
        await SmtpMail(address, SENDER).send(PLAIN)
        assert len(server.received) == 1


async def test_a_refused_login_can_be_tried_again_and_shows_no_password() -> None:
    with running(SmtpServer(login=("shop", "right"))) as server:
        with pytest.raises(MailNotSent) as refusal:
            await SmtpMail(f"smtp://shop:wr0ng@{server.address}", SENDER).send(PLAIN)
        assert refusal.value.again
        assert "wr0ng" not in str(refusal.value)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_tls_is_used_and_the_certificate_is_checked(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = make_certificate(tmp_path)
    with running(SmtpServer(tls=context, tls_first=scheme == "smtps")) as server:
        mail = SmtpMail(f"{scheme}://{server.address}", SENDER)
        with pytest.raises(MailNotSent) as refusal:
            await mail.send(PLAIN)
        assert refusal.value.again
        assert server.received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await mail.send(PLAIN)
        assert server.sent_over_tls == [True]


async def test_without_tls_on_offer_nothing_is_sent_where_it_is_required(
    smtp: SmtpServer,
) -> None:
    with pytest.raises(MailNotSent) as refusal:
        await SmtpMail(f"smtp://{smtp.address}?starttls=always", SENDER).send(PLAIN)
    assert refusal.value.again
    assert smtp.received == []


def test_a_password_for_another_machine_requires_tls() -> None:
    def start_tls(url: str) -> bool | None:
        return adapter._server(url).start_tls

    assert start_tls("smtp://u:p@mail.example.ly") is True
    assert start_tls("smtp://mail.example.ly") is None
    assert start_tls("smtp://u:p@127.0.0.1:2525") is None
    assert start_tls("smtp://u:p@mail.example.ly?starttls=never") is False


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.ly",
        "smtp://",
        "smtp://u:p4ssword@host:port",
        "smtp://u:p4ssword@host?starttls=perhaps",
        "smtps://u:p4ssword@host?starttls=always",
        "smtp://u:p4ssword@host?tls=yes",
    ],
)
def test_a_wrong_address_names_the_setting_and_shows_no_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="EISHRO_SMTP_URL") as refusal:
        open_mail(url, SENDER, tmp_path)
    assert "p4ssword" not in str(refusal.value)


@pytest.mark.parametrize("sender", ["", "nobody", "Shop\r\nBcc: x@example.ly <a@example.ly>"])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        SmtpMail("smtp://127.0.0.1", sender)


def test_a_mail_is_given_up_within_the_lease_of_its_event() -> None:
    assert adapter.TOTAL_SECONDS_MAX < LEASE.total_seconds()
