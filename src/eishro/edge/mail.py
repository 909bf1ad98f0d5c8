"""Mail through an HTTP API: the `Mail` port where there are no sockets.

One POST of JSON a message, `{"from", "to": [...], "subject", "text"}` with a bearer key: the shape
that several mail services take as it is (Resend among them). Answers: 2xx is sent, 429 and 5xx may
be tried again, any other 4xx will not get better.
"""

from email.utils import parseaddr

import structlog

from eishro.domain.messages.port import MailNotSent, Message
from eishro.outward import Http, NoReply

_LOG = structlog.get_logger("eishro.edge.mail")

ANSWER_BYTES_MAX = 100_000
SEND_SECONDS_MAX = 15.0
_TOO_MANY = 429


class ApiMail:
    """Posts messages to `url`; `sender` is `Name <address>` or an address.

    Raises:
        ValueError: an address that is not HTTPS, or a sender without an address.
    """

    def __init__(self, url: str, key: str, sender: str, http: Http) -> None:
        is_local = url.startswith("http://127.0.0.1:")
        if not url.startswith("https://") and not is_local:
            raise ValueError("EDGE_MAIL_API_URL must begin with https://")
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("EISHRO_MAIL_SENDER holds no address")
        self._url = url
        self._key = key
        self._sender = sender
        self._http = http

    async def send(self, message: Message) -> None:
        """Hand the message to the service."""
        body = {
            "from": self._sender,
            "to": [message.to],
            "subject": message.subject,
            "text": message.text,
        }
        try:
            reply = await self._http.post_json(
                self._url,
                body,
                headers={"Authorization": f"Bearer {self._key}"},
                timeout_seconds=SEND_SECONDS_MAX,
                limit_bytes=ANSWER_BYTES_MAX,
            )
        except NoReply as fault:
            raise MailNotSent(f"no answer from the mail service: {fault}", again=True) from fault
        if not 200 <= reply.status < 300:
            again = reply.status == _TOO_MANY or reply.status >= 500
            raise MailNotSent(f"the mail service answered {reply.status}", again=again)

    async def check(self) -> None:
        """Nothing can be asked of the service without sending."""

    async def aclose(self) -> None:
        """Nothing stays open."""


class NoMail:
    """Where no mail service is set: each message is refused for good, and the log says so."""

    async def send(self, message: Message) -> None:
        """Refuse."""
        del message
        _LOG.warning("mail_not_configured", missing="EDGE_MAIL_API_URL, EDGE_MAIL_API_KEY")
        raise MailNotSent("EDGE_MAIL_API_URL is not set", again=False)

    async def check(self) -> None:
        """Say that nothing is set."""
        raise MailNotSent("EDGE_MAIL_API_URL is not set", again=False)

    async def aclose(self) -> None:
        """Nothing is open."""
