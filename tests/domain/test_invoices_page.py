"""What a document prints: safe texts, one pattern of amounts, dates of Tripoli."""

import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.invoices.model import is_invoiced, read_number, written
from eishro.domain.invoices.page import ACCENTS_MAX, UNBROKEN_MAX, date, moment, money, printable
from eishro.money import DIRHAMS_MAX


@given(st.text(max_size=400))
def test_a_printed_text_turns_nothing_around(text: str) -> None:
    shown = printable(text).text
    for character in shown:
        category = unicodedata.category(character)
        assert category[0] != "C" or character in "\u200b\u200c\u200d"
        assert category not in ("Zl", "Zp")
    assert all(len(word) <= UNBROKEN_MAX for word in re.split(r"[\s\u200b]", shown))
    assert printable(shown.replace("\u200b", "")).text == shown


@pytest.mark.parametrize(
    ("text", "shown", "is_rtl"),
    [
        ("قميص قطني", "قميص قطني", True),
        ("iPhone 15 (256GB)", "iPhone 15 (256GB)", False),
        ("\u202eevil\u202c \u2067x\u2069", "evil x", False),
        ("a\x00b\r\nc\td", "a b c d", False),
        ("+218912345678", "+218912345678", False),
        ("5 قطع", "5 قطع", True),
        ("", "", False),
    ],
)
def test_a_text_keeps_what_can_be_read(text: str, shown: str, is_rtl: bool) -> None:
    assert (printable(text).text, printable(text).is_rtl) == (shown, is_rtl)


def test_accents_do_not_pile_up() -> None:
    assert len(printable("x" + "\u0316" * 300).text) == 1 + ACCENTS_MAX


@pytest.mark.parametrize(
    ("dirhams", "shown"),
    [
        (12_500, "12.500 د.ل"),
        (0, "0.000 د.ل"),
        (1, "0.001 د.ل"),
        (1_234_567_500, "1,234,567.500 د.ل"),
        (-2_000, "\u200e-2.000 د.ل"),
        (DIRHAMS_MAX, "1,000,000,000.000 د.ل"),
    ],
)
def test_amounts_have_one_pattern(dirhams: int, shown: str) -> None:
    assert money(dirhams) == shown


def test_dates_are_those_of_tripoli() -> None:
    late = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
    assert date(late) == "1 ديسمبر 2026"
    assert moment(late) == "2026-12-01 00:30"


def test_numbers_are_written_and_read_alike() -> None:
    assert written("invoice", 123) == "INV-000123"
    assert written("credit_note", 4) == "CN-000004"
    assert written("invoice", 12_345_678) == "INV-12345678"
    for text in ("CN-000004", "cn-4", "4", "0004"):
        assert read_number("credit_note", text) == 4
    for text in ("", "INV-4", "CN-", "-4", "4.0", "٤", "x", "9" * 16, "CN-CN-4"):
        assert read_number("credit_note", text) is None


def test_an_order_is_invoiced_from_its_confirmation_on() -> None:
    statuses = (
        "pending", "confirmed", "processing", "shipped", "delivered", "returned", "cancelled",
    )  # fmt: skip
    assert [s for s in statuses if not is_invoiced(s)] == ["pending", "cancelled"]
