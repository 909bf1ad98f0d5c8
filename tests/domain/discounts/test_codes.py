"""Codes are the same however they are typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.discounts.promotion import clean_code, code_key


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("eid20", "EID20"),
        ("  Eid 20 ", "EID20"),
        ("EID٢٠", "EID20"),
        ("EID۲۰", "EID20"),
        ("ＥＩＤ20", "EID20"),
        ("عيد-الأضحى", "عيد-الاضحي"),
        ("عيد-الاضحي", "عيد-الاضحي"),
        ("عِيـــد-الأضحى", "عيد-الاضحي"),
        ("\u200fعيد-الأضحى\u200f", "عيد-الاضحي"),
        ("SUMMER_SALE-1", "SUMMER_SALE-1"),
    ],
)
def test_typing_differences_do_not_matter(typed: str, key: str) -> None:
    assert code_key(typed) == key


@pytest.mark.parametrize(
    "typed", ["", " ", "A", "a'b", "a\x00b", "A" * 41, "x" * 10_000, "😀😀", "%%"]
)
def test_what_can_be_nobody_s_code_has_no_key(typed: str) -> None:
    assert code_key(typed) is None
    assert clean_code(typed) is None


def test_a_code_is_kept_as_typed_but_for_what_does_not_show() -> None:
    assert clean_code(" \u200fعيد الأضحى\u200f ") == "عيد الأضحى"
    assert clean_code("EID\n20") is None


@given(st.text(max_size=50))
def test_a_key_is_its_own_key(typed: str) -> None:
    key = code_key(typed)
    assert key is None or code_key(key) == key
