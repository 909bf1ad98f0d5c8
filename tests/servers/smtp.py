"""A mail server in a thread of the test process: aiosmtpd, a real SMTP conversation."""

import contextlib
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE_POLICY

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.ports import free_port


class SmtpServer:
    """Keeps what it receives; refuses on request.

    Args:
        tls: offer STARTTLS with this certificate; `tls_first` speaks TLS from the first byte.
        login: the only user and password let in; None asks for none.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        tls_first: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.sent_over_tls: list[bool] = []
        self.refuse_recipient: str | None = None  # e.g. "550 5.1.1 no such mailbox"
        self.refuse_message: str | None = None
        self._tls, self._tls_first, self._login = tls, tls_first, login
        self._controller: Controller | None = None

    @property
    def address(self) -> str:
        """Host and port, as in a URL."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=self._tls if self._tls_first else None,
            tls_context=None if self._tls_first else self._tls,
            require_starttls=self._tls is not None and not self._tls_first,
            authenticator=self._authenticate if self._login else None,
            auth_require_tls=False,
        )
        self._controller.start()

    def stop(self) -> None:
        """Hang up and close the port."""
        if self._controller is not None:
            with contextlib.suppress(AssertionError):
                self._controller.stop()
            self._controller = None

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        matches = (given.login.decode(), given.password.decode()) == self._login
        return AuthResult(success=matches, handled=False)

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Note the recipient or refuse it."""
        # aiosmtpd's own check warns where TLS is not required too.
        if self._login is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.refuse_recipient is not None:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message or refuse it."""
        if self.refuse_message is not None:
            return self.refuse_message
        assert isinstance(envelope.content, bytes)
        self.received.append(message_from_bytes(envelope.content, EmailMessage, policy=WIRE_POLICY))
        self.recipients.extend(envelope.rcpt_tos)
        self.sent_over_tls.append(session.ssl is not None or self._tls_first)
        return "250 OK"
