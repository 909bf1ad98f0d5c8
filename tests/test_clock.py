"""The clock port: aware UTC everywhere, Libyan time at the gateways."""

from datetime import UTC, datetime, timedelta

import pytest

from eishro.clock import TRIPOLI, ManualClock, SystemClock


def test_the_machine_s_clock_is_aware_and_in_utc() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert first.tzinfo is UTC
    assert timedelta(0) <= second - first < timedelta(minutes=1)


def test_a_manual_clock_moves_only_when_it_is_turned() -> None:
    clock = ManualClock()
    before = clock.now()
    assert clock.now() == before
    clock.turn(timedelta(minutes=61))
    assert clock.now() - before == timedelta(minutes=61)


@pytest.mark.parametrize("month", range(1, 13))
def test_libya_is_two_hours_ahead_all_year(month: int) -> None:
    noon = datetime(2026, month, 15, 12, tzinfo=UTC)
    assert noon.astimezone(TRIPOLI).hour == 14
