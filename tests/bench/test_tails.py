"""What a measurement of tails sends, in which order: quiet has to be quiet."""

import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bench import tails
from bench.contenders import EISHRO, HONO_NODE, Contender
from bench.openloop import Schedule, Stream, Timing

ROUNDS = 2


class _Session:
    """Stands in for a measurement: notes what would be sent, and sends nothing."""

    def __init__(self) -> None:
        self.plan = SimpleNamespace(rounds=ROUNDS)
        self.sent: list[str] = []

    @contextlib.contextmanager
    def server(self, contender: Contender, *, pinned: bool) -> Iterator[Any]:
        assert pinned
        yield SimpleNamespace(name=contender.name)

    def drive(self, _server: Any, work: str, _number: int, *, pinned: bool) -> Any:
        assert pinned
        self.sent.append(work)
        return SimpleNamespace(per_second=1_000.0)

    def send(self, _server: Any, streams: Sequence[Stream], run: str) -> Schedule:
        self.sent.append("+".join(stream.work for stream in streams))
        p99 = {"quiet": 1_000, "logins": 1_500, "orders": 1_800}[run.partition("-")[0]]
        timing = Timing("product", 100, 0, 0, 250.0, 100, 200, p99, p99, p99)
        return Schedule([timing] * len(streams), 10)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> _Session:
    made = _Session()
    monkeypatch.setattr(tails, "_send", lambda session, *rest: session.send(*rest))
    monkeypatch.setattr(tails, "drop_copy", lambda server: None)
    return made


def test_no_order_is_placed_before_the_last_quiet_read(session: _Session) -> None:
    tail = tails._measure_tail(session, EISHRO)  # type: ignore[arg-type]
    reads = ["product", "product+login"] * ROUNDS
    assert session.sent == ["product", *reads, "order", *["product+order"] * ROUNDS]
    assert (tail.quiet, tail.logins, tail.orders) == (1_000, 1_500, 1_800)
    assert (tail.reads_per_second, tail.orders_per_second) == (250.0, 250.0)


def test_nobody_signs_in_where_there_is_no_sign_in(session: _Session) -> None:
    tail = tails._measure_tail(session, HONO_NODE)  # type: ignore[arg-type]
    assert "product+login" not in session.sent
    assert tail.logins is None
