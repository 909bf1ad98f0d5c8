"""Folding of Arabic and Latin text: the agreed vectors, and what holds for any input."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro import text

# Characters that interact: letters with hamza, marks, joiners, forms, digits and some Latin.
ARABIC_SOUP = st.text(
    st.sampled_from("اأإآٱىيیةهؤوئءكکلاﻻﷲمحدـًَُِّٰٕٔ٠٩۵٫٬،؛؟ \u200b\u200f\u202e\u0640AÉéİßΐ\u0301-.")
)


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("أَحْمَد", "احمد"),
        ("إدارة", "اداره"),
        ("مصطفى", "مصطفي"),
        ("قهوة", "قهوه"),
        ("مسؤول", "مسوول"),
        ("شاطئ", "شاطي"),
        ("آيفون", "ايفون"),
        ("٢٠٢٤", "2024"),
        ("ﻻ إله", "لا اله"),
    ],
)
def test_agreed_vectors_are_folded_as_agreed(typed: str, folded: str) -> None:
    assert text.normalise(typed) == folded


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("ؤ", "و"),  # composed and decomposed hamza end alike
        ("و\u0654", "و"),
        ("آ", "ا"),
        ("ا\u0653", "ا"),
        ("ٱلكتاب", "الكتاب"),
        ("کتابی", "كتابي"),  # Persian letters
        ("جزء", "جزء"),  # a lone hamza stays
        ("۱۲٫۵۰۰", "12.500"),
        ("١٬٢٣٤", "1234"),
        ("نعم، لا؛ لماذا؟", "نعم, لا; لماذا?"),
        ("\u200fسعر\u202c", "سعر"),
        ("  T-Shirt\n  XL ", "t-shirt xl"),
        ("STRASSE straße", "strasse strasse"),
        ("ΐ", "ΐ"),  # casefolding alone would leave it decomposed
    ],
)
def test_each_rule_of_the_table_is_applied(typed: str, folded: str) -> None:
    assert text.normalise(typed) == folded


@given(st.one_of(st.text(), ARABIC_SOUP))
def test_normalising_twice_changes_nothing(typed: str) -> None:
    once = text.normalise(typed)
    assert text.normalise(once) == once


def test_every_single_character_is_stable_after_normalising() -> None:
    unstable = [
        f"U+{code:04X}"
        for code in range(0x20, 0x1F000)
        if (once := text.normalise(chr(code))) != text.normalise(once)
    ]
    assert unstable == []


@given(ARABIC_SOUP)
def test_composed_and_decomposed_spellings_are_one_text(typed: str) -> None:
    composed, apart = (unicodedata.normalize(form, typed) for form in ("NFC", "NFD"))
    assert text.normalise(composed) == text.normalise(apart)


def test_query_becomes_terms_of_which_the_last_is_a_prefix() -> None:
    assert text.search_terms("قميصٌ أبيض") == (
        text.SearchTerm("قميص"),
        text.SearchTerm("ابيض", is_prefix=True),
    )


@pytest.mark.parametrize("typed", ["القميص", "والقميص", "بالقميص", "للقميص"])
def test_article_gives_the_bare_word_as_an_alternative(typed: str) -> None:
    (term,) = text.search_terms(typed)
    assert term == text.SearchTerm(typed, ("قميص",), is_prefix=True)


@pytest.mark.parametrize("typed", ["الف", "لله", "ال", "وال", "ولد"])
def test_short_words_lose_no_article(typed: str) -> None:
    (term,) = text.search_terms(typed)
    assert term.alternatives == ()


def test_query_syntax_of_the_engines_cannot_survive() -> None:
    typed = "\"قميص\" OR (أبيض*) -NEAR(a b) name:x & !y | 'z' <-> \\ ^1"
    found = [term.word for term in text.search_terms(typed, limit=20)]
    assert found == ["قميص", "or", "ابيض", "near", "a", "b", "name", "x", "y", "z", "1"]


@given(st.one_of(st.text(), ARABIC_SOUP))
def test_terms_hold_letters_and_digits_only(typed: str) -> None:
    terms = text.search_terms(typed)
    for term in terms:
        for word in (term.word, *term.alternatives):
            assert word.isalnum()
            assert len(word) <= text.WORD_LENGTH_MAX
    assert [term.is_prefix for term in terms] == [False] * (len(terms) - 1) + [True] * bool(terms)


def test_queries_are_limited_in_words_and_length() -> None:
    assert len(text.search_terms("a b c d e f g h i j")) == 8
    assert len(text.search_terms("a b c", limit=2)) == 2
    assert text.search_terms("قميص قميص") == (text.SearchTerm("قميص", is_prefix=True),)
    assert text.search_terms(" " * text.QUERY_LENGTH_MAX + "late") == ()
    assert text.search_terms("؟! ،") == ()


def test_indexed_text_holds_the_words_that_queries_ask_for() -> None:
    indexed = text.search_text("القميص الأبيض", None, "White shirt, size 3.5", "SKU-٠١")
    assert indexed == "القميص قميص الابيض ابيض white shirt size 3 5 sku 01"
    for query in ("قميص", "الأبيض", "3.5", "sku-01"):
        assert all(term.word in indexed.split() for term in text.search_terms(query))


def test_digits_and_their_separators_are_folded_and_nothing_else() -> None:
    assert text.fold_digits("١٬٢٣٤٫٥٠٠ د.ل ۷") == "1234.500 د.ل 7"
    assert text.fold_digits("أَحمد, Ü") == "أَحمد, Ü"


def test_pasted_direction_marks_go_and_visible_text_stays() -> None:
    assert text.strip_marks("\u200f\u202b0912345678\u202c\u2069\ufeff\u061c") == "0912345678"
    assert text.strip_marks("مُحَمَّد می\u200cخواهم") == "مُحَمَّد می\u200cخواهم"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Dar Layan Fashion", "dar-layan-fashion"),
        ("Women's Café & Crème Ørsted", "womens-cafe-creme-orsted"),
        ("طرابلس", "trabls"),
        ("بنغازي", "bnghazi"),
        ("يوسف وشركاه", "yosf-wshrkah"),
        ("أزياءُ الشاطئ ٢٠٢٤", "azia-alshaty-2024"),
        ("متجر Nova", "mtjr-nova"),
        ("!؟ 商店", ""),
    ],
)
def test_names_become_slugs(name: str, slug: str) -> None:
    assert text.slugify(name) == slug


def test_long_slugs_are_cut_between_words() -> None:
    assert text.slugify("abcdefghi " * 9) == "-".join(["abcdefghi"] * 6)
    assert text.slugify("a" * 70) == "a" * text.SLUG_LENGTH_MAX


@given(st.one_of(st.text(), ARABIC_SOUP))
def test_slugs_are_short_ascii_and_slugs_of_themselves(name: str) -> None:
    slug = text.slugify(name)
    assert len(slug) <= text.SLUG_LENGTH_MAX
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert "--" not in slug
    assert text.slugify(slug) == slug
