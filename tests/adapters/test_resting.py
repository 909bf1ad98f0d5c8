"""A mail server or SMS gateway that falls silent is left alone for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from eishro.adapters.resting import PAUSE, SLOW, RestingMail, RestingSms
from eishro.clock import ManualClock
from eishro.domain.messages.port import MailNotSent, Message
from eishro.domain.messages.sms_port import Sms, SmsNotSent

pytestmark = pytest.mark.anyio

MOMENT = timedelta(microseconds=1)
AT = datetime(2026, 3, 1, tzinfo=UTC)


class Silent:
    """Takes `takes` for each message and then refuses it, unless `is_well`."""

    is_ready = True

    def __init__(self, clock: ManualClock, refusal: Exception) -> None:
        self.clock = clock
        self.refusal = refusal
        self.takes = SLOW
        self.is_well = False
        self.tried = 0
        self.is_closed = False

    async def send(self, message: object) -> None:
        self.tried += 1
        if not self.is_well:
            self.clock.turn(self.takes)
            raise self.refusal

    async def check(self) -> None:
        self.tried += 1

    async def aclose(self) -> None:
        self.is_closed = True


MAIL = Message(to="buyer@example.ly", subject="s", text="t")
TEXT = Sms(to="+218911234567", text="t")


@pytest.mark.parametrize("kind", ["mail", "sms"])
async def test_after_a_long_silence_nothing_is_tried_for_a_while(kind: str) -> None:
    clock = ManualClock(AT)
    unsent: type[MailNotSent | SmsNotSent] = MailNotSent if kind == "mail" else SmsNotSent
    server = Silent(clock, unsent("timed out", again=True))
    resting = RestingMail(server, clock) if kind == "mail" else RestingSms(server, clock)

    async def fails() -> bool:
        """And says that it may be tried again."""
        try:
            await resting.send(MAIL if kind == "mail" else TEXT)  # type: ignore[arg-type]
        except (MailNotSent, SmsNotSent) as fault:
            return fault.again and type(fault) is unsent
        return False

    assert await fails()
    for _ in range(10):
        assert await fails()
    assert server.tried == 1
    clock.turn(PAUSE - MOMENT)
    assert await fails()
    assert server.tried == 1
    clock.turn(MOMENT)
    assert await fails()  # silent still
    assert await fails()
    assert server.tried == 2
    clock.turn(PAUSE)
    server.is_well = True
    for _ in range(3):
        await resting.send(MAIL if kind == "mail" else TEXT)  # type: ignore[arg-type]
    assert server.tried == 5
    await resting.aclose()
    assert server.is_closed


@pytest.mark.parametrize(
    ("takes", "again"), [(SLOW - MOMENT, True), (SLOW, False), (timedelta(0), False)]
)
async def test_a_refusal_is_no_silence(takes: timedelta, again: bool) -> None:
    clock = ManualClock(AT)
    server = Silent(clock, MailNotSent("no such address", again=again))
    server.takes = takes
    resting = RestingMail(server, clock)
    for _ in range(2):
        with pytest.raises(MailNotSent):
            await resting.send(MAIL)
    assert server.tried == 2


async def test_the_server_itself_is_asked_whether_it_is_there() -> None:
    clock = ManualClock(AT)
    server = Silent(clock, MailNotSent("timed out", again=True))
    resting = RestingMail(server, clock)
    with pytest.raises(MailNotSent):
        await resting.send(MAIL)
    await resting.check()
    assert server.tried == 2
