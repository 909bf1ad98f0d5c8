"""The table of what the suite of a payment's life proves of each method, and why not the rest.

It is made of the suite itself. After a change that is meant:
`EISHRO_WRITE_PAYMENT_FEATURES=1 pytest tests/adapters/payments/test_payment_features.py`.
"""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from eishro.adapters.http import HttpxHttp
from eishro.adapters.payments import METHODS
from eishro.adapters.payments.journal import MemoryJournal
from eishro.clock import SystemClock
from eishro.domain.payments.gateways import Tools
from eishro.domain.payments.port import PaymentProvider
from tests.contracts.payment_life import Cashier, PaymentLife, Step
from tests.contracts.payment_steps import STEPS, can, cell, steps_of
from tests.stamps import MemoryStamps

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "payment-features.md"
_TOPICS: tuple[tuple[str, tuple[Step, ...]], ...] = (
    ("The way of a payment", ("start", "success", "nobody acts", "decline", "cancel", "expiry")),
    ("When something happens on the way", ("restart", "down", "silence", "charged in silence")),
    ("News and amounts", ("duplicate", "reordered", "forged", "wrong amount")),
    ("Money back", ("refund in full", "refund in part", "refund too much")),
)
_MARKS = {"yes": "✓", "by people": "people"}


def _lives() -> dict[str, type[PaymentLife]]:
    """Every class of the suite, by its method; those of all gateways' files."""
    for file in sorted(Path(__file__).parent.glob("test_*_life.py")):
        importlib.import_module(f"tests.adapters.payments.{file.stem}")
    found = {life.at.method: life for life in PaymentLife.__subclasses__()}
    names = list(dict.fromkeys(method.method for method in METHODS))
    return {name: found[name] for name in names}


def test_every_method_lives_through_the_suite() -> None:
    assert set(_lives()) == {method.method for method in METHODS}
    assert set(STEPS) == {step for _, steps in _TOPICS for step in steps}
    assert steps_of(PaymentLife) == set(STEPS)


def test_each_step_is_proven_or_has_its_reason() -> None:
    for name, life in _lives().items():
        cashier = life.at()
        missing = {step for step in STEPS if not can(cashier, step)}
        assert set(cashier.noes) == missing, name


@pytest.mark.anyio
async def test_what_a_method_is_said_to_do_its_adapter_says_too() -> None:
    http = HttpxHttp()
    clock = SystemClock()
    tools = Tools(http, MemoryStamps(), clock, "http://127.0.0.1:1", MemoryJournal(clock))
    for name, life in _lives().items():
        cashier, provider = life.at(), _provider(life.at(), tools)
        assert ("query" in cashier.features) == provider.can_query, name
        assert ("refund" in cashier.features) == provider.can_refund, name
        await provider.aclose()
    await http.aclose()


def test_the_page_is_what_the_suite_says() -> None:
    text = _page()
    if os.environ.get("EISHRO_WRITE_PAYMENT_FEATURES"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, (
        "after a change that is meant: EISHRO_WRITE_PAYMENT_FEATURES=1 pytest "
        "tests/adapters/payments/test_payment_features.py"
    )


def _provider(cashier: Cashier, tools: Tools) -> PaymentProvider:
    gateway = cashier.gateway
    url = f"{tools.public_url}/sandbox/{gateway.provider}"
    return gateway.build(gateway.simulated({}, url), tools)


def _page() -> str:
    lives = _lives()
    reasons: list[str] = []
    lines = [
        "# What each payment method can do",
        "",
        "Made by `tests/adapters/payments/test_payment_features.py` of the suite that takes every",
        "adapter through a payment's whole life, against its simulator and through the shop's own",
        "routes (`tests/contracts/payment_life.py`). ✓ is a step that the suite proves of the method;",
        "*people*: the gateway cannot, and the suite proves that it becomes people's task. A number",
        "is the reason, below the tables, why there is no such step.",
        "",
        "`mobicash` is shown with its own adapter, which is off unless it is set up; by default it is",
        "paid on the page of T-Lync or Plutu. `onepay` is also called `1pay`, `tlync` also `tadawul`.",
        "",
    ]
    for title, steps in _TOPICS:
        lines += [f"## {title}", "", *_table(lives, steps, reasons), ""]
    lines += ["## Why not", ""]
    lines += [f"{number}. {reason}." for number, reason in enumerate(reasons, 1)]
    return "\n".join(lines) + "\n"


def _table(
    lives: dict[str, type[PaymentLife]], steps: Sequence[Step], reasons: list[str]
) -> list[str]:
    lines = [
        "| Method | " + " | ".join(STEPS[step] for step in steps) + " |",
        "|---|" + ":---:|" * len(steps),
    ]
    for name, life in lives.items():
        cells = [_shown(life, step, reasons) for step in steps]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return lines


def _shown(life: type[PaymentLife], step: Step, reasons: list[str]) -> str:
    cashier = life.at()
    found = cell(life, cashier, step)
    if found == "yes":
        return _MARKS[found]
    reason = cashier.noes[step]
    if reason not in reasons:
        reasons.append(reason)
    number = f"({reasons.index(reason) + 1})"
    return f"{_MARKS[found]} {number}" if found in _MARKS else number
