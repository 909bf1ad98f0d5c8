"""Libyan telephone numbers in every spelling that people use."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro import phones

MOBILE = st.from_regex(r"9[1-6][0-9]{7}", fullmatch=True)


@pytest.mark.parametrize(
    "typed",
    [
        "0912345678",
        "912345678",
        "218912345678",
        "00218912345678",
        "+218 91 2345678",
        "+2180912345678",
        "٠٩١٢٣٤٥٦٧٨",
        "۰۹۱۲۳۴۵۶۷۸",
        "091-234 5678",
        "91 2345678",
        "(+218) 91-2345678",
        "\u200e+218 91-2345678\u202c",
    ],
)
def test_every_spelling_of_a_mobile_number_is_one_number(typed: str) -> None:
    assert phones.normalise_mobile(typed) == "+218912345678"
    assert phones.normalise_phone(typed) == "+218912345678"


@pytest.mark.parametrize("prefix", ["090", "097", "098", "099"])
def test_unassigned_mobile_prefixes_are_refused(prefix: str) -> None:
    assert phones.normalise_mobile(f"{prefix}2345678") is None
    assert phones.normalise_phone(f"{prefix}2345678") is None


@pytest.mark.parametrize(
    "typed",
    ["", "abc", "+", "091234567", "09123456789", "+912345678", "+1 912345678", "0213334455"]
    + ["0912345678" * 5, "0012345"],
)
def test_other_input_is_no_libyan_mobile(typed: str) -> None:
    assert phones.normalise_mobile(typed) is None


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("021 333 4455", "+218213334455"),
        ("٠٦١-٢٢٣٣٤٤٥", "+218612233445"),
        ("+218 51 261 2345", "+218512612345"),
        ("087 7654321", "+218877654321"),  # Tobruk
        ("+44 20 7946 0018", "+442079460018"),
        ("0044 20 7946 0018", "+442079460018"),
        ("+216 71 123 456", "+21671123456"),
    ],
)
def test_landlines_and_foreign_numbers_are_accepted_where_any_phone_is(
    typed: str, stored: str
) -> None:
    assert phones.normalise_phone(typed) == stored
    assert phones.normalise_mobile(typed) is None


@pytest.mark.parametrize("typed", ["", "021", "12345", "+999 123 456", "0311", "+4420", "+" * 9])
def test_numbers_that_nobody_can_have_are_refused(typed: str) -> None:
    assert phones.normalise_phone(typed) is None


def test_mobile_numbers_do_not_load_the_library() -> None:
    code = (
        "import sys; from eishro.phones import normalise_phone;"
        "assert normalise_phone('0912345678'); assert 'phonenumbers' not in sys.modules;"
        "assert normalise_phone('0213334455'); assert 'phonenumbers' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_numbers_are_shown_as_people_write_them() -> None:
    assert phones.display_phone("+218912345678") == "091-2345678"
    assert phones.display_phone("+218213334455") == "021-3334455"
    assert phones.display_phone("+442079460018") == "+442079460018"


def test_masked_numbers_show_the_ends_only() -> None:
    assert phones.mask_phone("+218912345678") == "091•••••78"
    assert phones.mask_phone("+442079460018") == "+44••••••••18"
    assert phones.mask_phone("12345") == "•••••"


@given(MOBILE, st.sampled_from(["", "0", "218", "+218", "00218", "+2180", "+218 (0) "]))
def test_any_prefix_of_any_mobile_number_gives_the_same(national: str, prefix: str) -> None:
    stored = phones.normalise_mobile(prefix + national)
    assert stored == f"+218{national}"
    assert phones.normalise_mobile(phones.display_phone(stored)) == stored
    assert phones.normalise_phone(stored) == stored


@given(st.text(max_size=50))
def test_any_text_is_answered_without_an_error(typed: str) -> None:
    stored = phones.normalise_phone(typed)
    if stored is not None:
        assert phones.normalise_phone(stored) == stored
