"""What is kept of calls to gateways: enough to see what happened, nothing that is a secret."""

from typing import Any

import msgspec
import pytest

from eishro.adapters.payments.journal import NOTES_MAX, MemoryJournal, masked, masked_bytes
from eishro.clock import ManualClock
from eishro.domain.payments.exchanges import TEXT_MAX, speaking_of
from eishro.outward import HttpReply, NoReply

pytestmark = pytest.mark.anyio

CARD = "5123450000000008"


class Echo:
    """Answers with what it was sent, or not at all."""

    def __init__(self) -> None:
        self.is_silent = False

    async def post_json(self, url: str, body: Any, **_: Any) -> HttpReply:
        if self.is_silent:
            raise NoReply("timed out", sent=True)
        return HttpReply(200, msgspec.json.encode(body))

    async def get(self, url: str, **_: Any) -> HttpReply:
        return HttpReply(200, b"{}")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"OTP": "1234", "Amount": "1.50"}, {"OTP": "•••", "Amount": "1.50"}),
        ({"mobile_number": "0912345678"}, {"mobile_number": "•••678"}),
        ({"a": [{"Pin": 12}, {"pw": ""}]}, {"a": [{"Pin": "•••"}, {"pw": ""}]}),
        ({"note": f"card {CARD}"}, {"note": "card 512345XXXXXX0008"}),
        ({"TrxDateTime": "20260115103145"}, {"TrxDateTime": "20260115103145"}),
        ({"SecureHash": None, "ok": True}, {"SecureHash": None, "ok": True}),
    ],
)
def test_names_decide_what_is_hidden(value: object, kept: object) -> None:
    assert masked(value) == kept


def test_bodies_of_any_kind_are_masked() -> None:
    soap = b"<s:Body><Pin>1234</Pin><Cmobile>+218912345678</Cmobile><Amount>1</Amount></s:Body>"
    shown = masked_bytes(soap)
    assert "1234<" not in shown
    assert "912345678" not in shown
    assert "<Amount>1</Amount>" in shown
    assert CARD not in masked_bytes(f"plain {CARD}".encode())
    assert masked_bytes(b"\xff\xfe\x00") == "��"
    assert masked_bytes(b"[" * 100_000)


async def test_calls_are_noted_under_what_is_spoken_of() -> None:
    journal, echo = MemoryJournal(ManualClock()), Echo()
    http = journal.watch(echo, "wallet")  # type: ignore[arg-type]
    await http.post_json("https://gateway.test/a", {"x": 1})
    with speaking_of("ONE"):
        await http.post_json("https://gateway.test/pay", {"code": "1234", "x": "y" * 9_000})
        await http.get("https://gateway.test/ask?token=abc&id=7")
        echo.is_silent = True
        with pytest.raises(NoReply):
            await http.post_json("https://gateway.test/pay", {})
    first, second, third = journal.take("ONE")
    assert (first.call, first.status, len(first.request)) == ("POST /pay", 200, TEXT_MAX)
    assert "1234" not in first.request + first.reply
    assert second.call == "GET /ask?token=%E2%80%A2%E2%80%A2%E2%80%A2&id=7"
    assert (third.status, third.error) == (None, "timed out")
    assert journal.take("ONE") == []


async def test_notes_that_nobody_takes_are_few() -> None:
    journal = MemoryJournal(ManualClock())
    http = journal.watch(Echo(), "wallet")  # type: ignore[arg-type]
    with speaking_of("ONE"):
        for number in range(3 * NOTES_MAX):
            await http.post_json(f"https://gateway.test/{number}", {})
    assert [note.call for note in journal.take("ONE")][-1] == f"POST /{3 * NOTES_MAX - 1}"
