"""Adapters of the SMS port (`domain/messages/sms_port.py`): any HTTP gateway, or an outbox."""

from pathlib import Path

from eishro.adapters.resting import RestingSms
from eishro.adapters.sms.gateway import HttpSms
from eishro.domain.messages.sms_port import NoSms, SmsGateway
from eishro.outward import Http

OUTBOX_FOLDER = "sms"


def open_sms(
    url: str | None, authorization: str, body: str, http: Http, outbox_dir: Path | None
) -> SmsGateway:
    """The gateway where `url` is set, else an outbox below `outbox_dir`, else none.

    Raises:
        ValueError: the template cannot be used.
    """
    if url:
        return RestingSms(HttpSms(url, authorization, body, http))
    if outbox_dir is None:
        return NoSms()
    # Imported here: the edge has no disk.
    from eishro.adapters.sms.outbox import OutboxSms

    return OutboxSms(outbox_dir / OUTBOX_FOLDER)
