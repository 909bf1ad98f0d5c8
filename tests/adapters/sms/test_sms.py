"""The SMS port's adapters: any gateway by template, the outbox, and none at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eishro.adapters.resting import RestingSms
from eishro.adapters.sms import open_sms
from eishro.adapters.sms.gateway import HttpSms
from eishro.adapters.sms.outbox import OutboxSms
from eishro.domain.messages.sms_port import NoSms, Sms, SmsNotSent
from eishro.outward import HttpReply, NoReply

pytestmark = pytest.mark.anyio

URL = "https://sms.example.ly/send"
BODY = '{"to": "{phone}", "message": "{text}"}'
TEXT = Sms(to="+218912345678", text='رمز "123456", {phone}')


class _Gateway:
    """Answers as it is told, and keeps what was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[tuple[str, Any, Any]] = []

    async def post_json(
        self,
        url: str,
        body: Mapping[str, object],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        del timeout_seconds, limit_bytes
        self.asked.append((url, body, headers))
        if self.status == 0:
            raise NoReply("refused", sent=False)
        return HttpReply(self.status, b"{}")


async def test_a_text_is_put_into_the_template_as_it_is() -> None:
    gateway = _Gateway()
    body = '{"messages": [{"to": "{digits}", "body": "EISHRO {text}", "n": 1}], "from": "x"}'
    await HttpSms(URL, "Bearer x", body, gateway).send(TEXT)
    ((url, sent, headers),) = gateway.asked
    assert (url, headers) == (URL, {"Authorization": "Bearer x"})
    assert sent["from"] == "x"
    assert sent["messages"][0]["to"] == "218912345678"
    assert sent["messages"][0]["n"] == 1
    assert '"123456"' in sent["messages"][0]["body"]


@pytest.mark.parametrize(
    ("status", "again"), [(0, True), (429, True), (503, True), (400, False), (401, False)]
)
async def test_a_refusal_says_whether_a_later_try_can_help(status: int, again: bool) -> None:  # noqa: FBT001
    with pytest.raises(SmsNotSent) as refused:
        await HttpSms(URL, "", BODY, _Gateway(status)).send(TEXT)
    assert refused.value.again is again
    assert "123456" not in str(refused.value)


@pytest.mark.parametrize("body", ["", "x", "[]", '{"to": "{phone}"}', '{"m": "{text}"}', "{text}"])
def test_a_template_that_cannot_work_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"EISHRO_SMS_BODY"):
        HttpSms(URL, "", body, _Gateway())


async def test_where_a_text_goes_is_the_settings_choice(tmp_path: Path) -> None:
    http = _Gateway()
    assert isinstance(open_sms(URL, "", BODY, http, tmp_path), RestingSms)
    outbox = open_sms(None, "", BODY, http, tmp_path)
    assert isinstance(outbox, OutboxSms)
    await outbox.send(TEXT)
    assert outbox.newest() == [{"to": TEXT.to, "text": TEXT.text}]
    nobody = open_sms(None, "", BODY, http, None)
    assert isinstance(nobody, NoSms)
    assert not nobody.is_ready
    with pytest.raises(SmsNotSent):
        await nobody.send(TEXT)
