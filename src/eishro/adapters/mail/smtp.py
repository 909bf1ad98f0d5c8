"""Mail over SMTP: one connection a message, plain text in UTF-8.

Facts: RFC 5321 (reply codes: 4yz may pass, 5yz will not), RFC 5322 (headers), RFC 8314 (TLS:
465 from the first byte, 587 with STARTTLS), RFC 3834 (Auto-Submitted).
"""

import asyncio
import socket
from email.errors import HeaderParseError, MessageError
from email.header import Header
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from eishro.clock import Clock, SystemClock
from eishro.domain.messages.port import MailNotSent, Message

TIMEOUT_SECONDS = 20.0  # for each step of the conversation
TOTAL_SECONDS_MAX = 40.0  # for all of it, however slowly the other side drips; within a lease
ADDRESS_LENGTH_MAX = 254

_PORTS = {"smtp": 587, "smtps": 465}
_STARTTLS = {"always": True, "never": False, "auto": None}
# Faults of this one message: another try gives the same answer. A refused login or greeting is
# the operator's to mend, and then the message can go.
_MESSAGE_REFUSALS = (
    aiosmtplib.SMTPRecipientRefused,
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPDataError,
)


class _WirePolicy(EmailPolicy):
    """How a message is written out; adds to the standard library's a fold that keeps spaces.

    Python up to 3.12.4 loses spaces between encoded words when it folds a long header, which
    joins words of Arabic subjects (CPython issue 92081); the older `Header` does not.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header line, folded, with its line end."""
        if value.isascii():
            return super().fold_binary(name, value)
        if isinstance(value, AddressHeader):
            (mailbox,) = value.addresses
            words = Header(mailbox.display_name, "utf-8", header_name=name)
            written = formataddr((words.encode(linesep=self.linesep), mailbox.addr_spec))
        else:
            written = Header(value, "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {written}{self.linesep}".encode("ascii")


_WIRE_POLICY = _WirePolicy(linesep="\r\n", max_line_length=78, cte_type="7bit")


class _Server(NamedTuple):
    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    start_tls: bool | None


class SmtpMail:
    """Sends through one mail server.

    Args:
        url: `smtp://[user:password@]host[:port][?starttls=always|auto|never]`, or `smtps://` for
            TLS from the first byte. Ports default to 587 and 465. STARTTLS defaults to `always`
            where a password would travel to another machine, else to `auto` (when offered).
        sender: `Name <address>` or an address.

    Raises:
        ValueError: the address or the sender cannot be read.
    """

    def __init__(self, url: str, sender: str, *, clock: Clock | None = None) -> None:
        self._server = _server(url)
        self._sender = _sender(sender)
        self._clock = clock or SystemClock()

    async def send(self, message: Message) -> None:
        """Hand the message to the mail server.

        Raises:
            MailNotSent: see `again`; a broken connection may mean that it was sent after all.
        """
        mail = self._compose(message)
        try:
            await self._deliver(mail.as_bytes(), _recipient(message.to).addr_spec)
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            raise _not_sent(refusal.recipients[0]) from refusal
        except (aiosmtplib.SMTPException, OSError) as fault:
            raise _not_sent(fault) from fault

    async def check(self) -> None:
        """Connect, sign in where a user is set, and leave.

        Raises:
            MailNotSent: the server does not answer or does not let us in.
        """
        try:
            async with asyncio.timeout(TOTAL_SECONDS_MAX), self._client():
                pass
        except (aiosmtplib.SMTPException, OSError) as fault:
            raise _not_sent(fault) from fault

    async def aclose(self) -> None:
        """Nothing stays open."""

    async def _deliver(self, mail: bytes, recipient: str) -> None:
        async with asyncio.timeout(TOTAL_SECONDS_MAX), self._client() as client:
            await client.sendmail(self._sender.addr_spec, [recipient], mail)

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            username=self._server.user,
            password=self._server.password,
            use_tls=self._server.tls,
            start_tls=self._server.start_tls,
            timeout=TIMEOUT_SECONDS,
            local_hostname=socket.gethostname(),  # the default would ask DNS and wait for it
        )

    def _compose(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=_WIRE_POLICY)
        try:
            mail["From"] = self._sender
            mail["To"] = _recipient(message.to)
            mail["Subject"] = message.subject
            mail["Date"] = format_datetime(self._clock.now())
            mail["Message-ID"] = make_msgid(domain=self._sender.domain)
            mail["Auto-Submitted"] = "auto-generated"  # so that absence notices do not answer
            mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
        except (ValueError, MessageError) as fault:  # a line break in a header, a lone surrogate
            raise MailNotSent(f"the message cannot be written: {fault}", again=False) from fault
        return mail


def _recipient(to: str) -> Address:
    try:
        return _address("", to)
    except (ValueError, HeaderParseError) as fault:
        raise MailNotSent("not an address", again=False) from fault


def _sender(sender: str) -> Address:
    try:
        if not sender.isprintable():
            raise ValueError("line break or control character")
        return _address(*parseaddr(sender))
    except (ValueError, HeaderParseError) as fault:
        raise ValueError(f"the sender of mails is not an address: {sender!r}") from fault


def _address(name: str, spec: str) -> Address:
    """One mailbox; a domain outside ASCII in its IDNA form, which every server understands.

    Raises:
        ValueError, HeaderParseError: not exactly one mailbox.
    """
    if not spec.isprintable() or " " in spec or len(spec) > ADDRESS_LENGTH_MAX:
        raise ValueError("not an address")
    user, at, domain = spec.rpartition("@")
    if not (user and at and domain):
        raise ValueError("not an address")
    ascii_domain = domain.encode("idna").decode() if not domain.isascii() else domain
    return Address(name, addr_spec=f"{user}@{ascii_domain}")


def _not_sent(fault: Exception) -> MailNotSent:
    permanent = isinstance(fault, _MESSAGE_REFUSALS) and fault.code >= 500
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        return MailNotSent(f"{fault.code} {fault.message}", again=not permanent)
    return MailNotSent(f"{type(fault).__name__}: {fault}", again=True)


def _server(url: str) -> _Server:
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    starttls = options.pop("starttls", None)
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.path not in ("", "/")
        or options
        or (starttls is not None and (starttls not in _STARTTLS or parts.scheme == "smtps"))
    ):
        raise ValueError(
            "EISHRO_SMTP_URL: expected smtp://user:password@host:port?starttls=always|auto|never "
            "or smtps://user:password@host:port"
        )
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ValueError("EISHRO_SMTP_URL: the port is not a number") from None
    if starttls is None:
        careful = parts.username is not None and not _is_this_machine(parts.hostname)
        starttls = "always" if careful else "auto"
    return _Server(
        parts.hostname,
        port,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        tls=parts.scheme == "smtps",
        start_tls=False if parts.scheme == "smtps" else _STARTTLS[starttls],
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
