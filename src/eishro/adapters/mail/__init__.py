"""Adapters of the mail port (`domain/messages/port.py`): SMTP, or the development outbox."""

from pathlib import Path

from eishro.adapters.resting import RestingMail
from eishro.domain.messages.port import Mail

OUTBOX_FOLDER = "mail"


def open_mail(smtp_url: str | None, sender: str, data_dir: Path) -> Mail:
    """SMTP where `EISHRO_SMTP_URL` is set; without it, an outbox in the data folder.

    Args:
        smtp_url: as `SmtpMail` takes it, or None or empty for the outbox.
        sender: `Name <address>` or an address; the outbox ignores it.
        data_dir: the outbox lies below it in `mail/`.

    Raises:
        ValueError: the address or the sender cannot be read.
    """
    if smtp_url:
        # Imported here: development and the edge do without an SMTP client.
        from eishro.adapters.mail.smtp import SmtpMail

        return RestingMail(SmtpMail(smtp_url, sender))
    from eishro.adapters.mail.outbox import OutboxMail

    return OutboxMail(data_dir / OUTBOX_FOLDER)
