"""Time: one port, so that tests turn the clock instead of sleeping. Always aware UTC."""

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

TRIPOLI = ZoneInfo("Africa/Tripoli")  # UTC+2 all year; gateways speak this time


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, aware UTC, microsecond resolution."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until a test turns it."""

    def __init__(self, start: datetime = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def turn(self, by: timedelta) -> None:
        """Move the hands forward."""
        self._now += by
