"""`python -m bench.desk`: a merchant looks through a store of a million orders.

One store, orders of the past made by SQL, EISHRO without a response cache. Each question is asked
again and again with other values by one client, so the times are of answering and not of queueing.
Writes bench/results/desk.md. The goal is p99 under 50 ms for every question.
"""

import argparse
import http.client
import json
import random
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.contenders import EISHRO
from bench.data import PASSWORD, Goods, email_of
from bench.growth_data import FOLDER, kept
from bench.machine import describe
from bench.servers import running

RESULT = Path(__file__).parent / "results" / "desk.md"
GOAL_MILLISECONDS = 50.0
_PHONES, _NAMES = 100_000, 997  # different ones, as growth_data makes them

Question = Callable[[random.Random, int], str]
QUESTIONS: dict[str, Question] = {
    "first page": lambda dice, orders: "?limit=20",
    "page 2 to 500": lambda dice, orders: f"?limit=20&page={dice.randint(2, 500)}",
    "after a cursor anywhere": lambda dice, orders: (
        f"?limit=20&cursor=ord_0{dice.randrange(1, orders):025}"
    ),
    "by status": lambda dice, orders: "?limit=20&status=delivered",
    "waiting ones, of which there are none": lambda dice, orders: "?limit=20&status=pending",
    "by number": lambda dice, orders: f"?q=G{dice.randrange(1, orders):07}",
    "by phone": lambda dice, orders: f"?q=091{dice.randrange(_PHONES):07}",
    "by name": lambda dice, orders: "?q=" + f"%D8%B3%D8%A7%D9%84%D9%85%20{dice.randrange(_NAMES)}",
    "of a day": lambda dice, orders: (
        f"?limit=20&from=2026-01-{dice.randint(2, 9):02}T00:00:00Z&to=2026-01-10T00:00:00Z"
    ),
}


def main() -> int:
    """Measure and write the page; 1 if a question misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.desk", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=300, help="how often each is asked")
    given = parser.parse_args()
    source = kept(Goods(10_000, 1, 1), given.orders)
    folder = FOLDER.parent / "desk"
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    with running(EISHRO, source, folder, pinned=False, in_place=True) as server:
        token = _sign_in(server.port)
        for name, question in QUESTIONS.items():
            rows.append((name, *_ask(server.port, token, question, given)))
            print(f"{name:40} p50 {rows[-1][1]:7.2f} ms  p99 {rows[-1][2]:7.2f} ms", flush=True)
    RESULT.write_text(_page(rows, given), encoding="utf-8")
    return 0 if all(row[2] <= GOAL_MILLISECONDS for row in rows) else 1


def _sign_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"email": email_of(1), "password": PASSWORD})
    connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
    token: str = json.loads(connection.getresponse().read())["data"]["accessToken"]
    return token


def _ask(
    port: int, token: str, question: Question, given: argparse.Namespace
) -> tuple[float, float, float, int]:
    dice = random.Random(1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"}
    times, found = [], 0
    for number in range(given.times + 10):  # the first ten are not counted
        path = "/api/stores/1/orders" + question(dice, given.orders)
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        took = (time.perf_counter() - begun) * 1_000
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {body[:200]!r}")
        if number >= 10:
            times.append(took)
            found += len(json.loads(body)["data"])
    cuts = statistics.quantiles(times, n=100)
    return statistics.median(times), cuts[98], max(times), found // given.times


def _page(rows: list[tuple[str, float, float, float, int]], given: argparse.Namespace) -> str:
    machine = describe(FOLDER)
    lines = [
        "# A merchant's desk",
        "",
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC. {machine.processor}, {machine.cores} cores, {machine.file_system}.",
        "",
        (
            f"One store with {given.orders:,} orders on SQLite, one client, {given.times} questions of"
            " each kind with other values, no response cache. The goal is p99 under 50 ms."
        ),
        "",
        "| Question | rows | p50 ms | p99 ms | slowest ms | Reached |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {name} | {found} | {p50:.2f} | {p99:.2f} | {most:.2f} |"
        f" {'yes' if p99 <= GOAL_MILLISECONDS else '**no**'} |"
        for name, p50, p99, most, found in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
