"""Text as people type it: folding Arabic and Latin for search, digits, marks and slugs.

What is compared is normalised, what is shown stays as it was typed. The rules are those that
Arabic search engines share (alef forms, ى, ة, hamza carriers, short vowels, tatweel) plus
Persian look-alike letters and both sets of eastern digits; the false merges they cause
(على/علي) are fine in a shop. There is no stemming: on names of goods it does more harm than
good (فستان would become ستان). No SQL here: `db/search.py` writes each engine's query from
`SearchTerm`, whose words hold nothing but letters and digits.
"""

import re
import unicodedata
from typing import NamedTuple

ERASED = "محذوف / deleted"  # stands for what named a person

QUERY_LENGTH_MAX = 200  # characters of a search query that are looked at
WORD_LENGTH_MAX = 64  # characters of one word, of a query or of indexed text
SLUG_LENGTH_MAX = 60

_MARKS = [
    *range(0x0610, 0x061B),  # honorifics and Quranic signs
    *range(0x064B, 0x0660),  # short vowels, shadda, sukun, combining hamza
    0x0670,
    *range(0x06D6, 0x06DD),
    *range(0x06DF, 0x06E9),
    *range(0x06EA, 0x06EE),
    0x0640,  # tatweel
]
_BIDI = [0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ZERO_WIDTH = [*range(0x200B, 0x200E), 0xFEFF]

_DIGITS: dict[int, int | str | None] = {
    **{0x0660 + digit: str(digit) for digit in range(10)},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
    0x066B: ".",  # ٫ the decimal separator
    0x066C: None,  # ٬ the thousands separator
}
_FOLD: dict[int, int | str | None] = {
    **dict.fromkeys([*_MARKS, *_BIDI, *_ZERO_WIDTH]),
    **_DIGITS,
    **str.maketrans("أإآٱىیکةؤئ،؛", "ااااييكهوي,;"),
    ord("؟"): "?",
}
# Joiners stay: they shape Persian words and emoji that are shown as typed.
_INVISIBLE = dict.fromkeys([*_BIDI, 0x200B, 0xFEFF])

_WORD = re.compile(r"[^\W_]+")
# Longest first; a bare ال after a conjunction or preposition goes with it.
_ARTICLES = ("وال", "بال", "ال", "لل")
_BARE_LENGTH_MIN = 2  # letters that must remain, as in Lucene's light10


class SearchTerm(NamedTuple):
    """One word a text must hold, as itself or as one of its alternatives.

    All words are normalised and consist of letters and digits only. With `is_prefix` the word
    and its alternatives also match the beginning of a longer word.
    """

    word: str
    alternatives: tuple[str, ...] = ()
    is_prefix: bool = False


def normalise(text: str) -> str:
    """The form in which two spellings of one thing are equal; applying it twice changes nothing.

    Example: `مُحَمَّد` gives `محمد`, `شاطئ` gives `شاطي`, `Café ٢٠٢٤` gives `café 2024`.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    text = unicodedata.normalize("NFKC", text).translate(_FOLD).casefold()
    # Without the deleted marks, letters can stand together that compose; casefolding decomposes.
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """The normalised words of a text in their order: runs of letters and digits."""
    return [word[:WORD_LENGTH_MAX] for word in _WORD.findall(normalise(text))]


def search_text(*parts: str | None) -> str:
    """What to index for a thing with these names and descriptions.

    Words alone, so that every engine sees the same ones (left to themselves, PostgreSQL keeps
    `3.5` and `shop.ly` whole and SQLite does not). A word with the article is followed by the
    bare word, so that قميص finds والقميص.
    """
    found: list[str] = []
    for part in parts:
        for word in words(part or ""):
            found.append(word)
            found.extend(_alternatives(word))
    return " ".join(found)


def search_terms(query: str, limit: int = 8) -> tuple[SearchTerm, ...]:
    """A query as terms that must all be found; empty when it holds no letter or digit.

    Args:
        query: as typed; what follows `QUERY_LENGTH_MAX` characters is ignored.
        limit: the most terms returned; further words are ignored.
    Returns: the words without repetition, each with the bare word as an alternative if it
        carries the article (ال وال بال لل). The last one is a prefix: it may be half typed.
    """
    found = list(dict.fromkeys(words(query[:QUERY_LENGTH_MAX])))[:limit]
    return tuple(
        SearchTerm(word, _alternatives(word), is_prefix=word is found[-1]) for word in found
    )


def fold_digits(text: str) -> str:
    """Arabic-Indic and Persian digits as ASCII; ٫ becomes a dot and ٬ goes. All else stays."""
    return text.translate(_DIGITS)


def strip_marks(text: str) -> str:
    """The text without the invisible direction marks that come along when people paste."""
    return text.translate(_INVISIBLE)


# One letter, one sound, without guessing the short vowels that Arabic does not write.
_ONE_TO_ONE = str.maketrans(
    "اأإآٱىةبتجحدرزسصضطظعفقكکلمنهوؤيیئپڤگøłđı", "aaiaaaabtjhdrzssdtzafqkklmnhooiiypvgoldi"
)
_ONE_TO_TWO = str.maketrans(
    dict(zip("ثخذشغچژæœ", ["th", "kh", "dh", "sh", "gh", "ch", "zh", "ae", "oe"], strict=True))
    | dict.fromkeys("ء'’ʼ`", "")  # Women's is one word
)
# و and ي begin a word as consonants; inside one they mostly stand for a long vowel.
_INITIAL = re.compile(r"\b[وي]")
_SKIPPED = dict.fromkeys([*_MARKS, *_BIDI, *_ZERO_WIDTH])
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")


def slugify(name: str) -> str:
    """A short name for addresses: `a-z`, `0-9` and single inner hyphens.

    Latin letters lose their accents; Arabic ones are spelled out by a fixed table (بنغازي gives
    `bnghazi`: what is not written is not guessed). At most `SLUG_LENGTH_MAX` characters, cut
    between words where possible. Empty if nothing usable is left; the caller then makes one up.
    """
    text = unicodedata.normalize("NFKC", name).translate(_SKIPPED).translate(_DIGITS).casefold()
    text = _INITIAL.sub(lambda found: "w" if found[0] == "و" else "y", text)
    text = text.translate(_ONE_TO_ONE).translate(_ONE_TO_TWO)
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    slug = _NOT_IN_SLUG.sub("-", text).strip("-")
    if len(slug) <= SLUG_LENGTH_MAX:
        return slug
    at_word, _, _ = slug[: SLUG_LENGTH_MAX + 1].rpartition("-")
    return at_word or slug[:SLUG_LENGTH_MAX]


def _alternatives(word: str) -> tuple[str, ...]:
    for article in _ARTICLES:
        if word.startswith(article) and len(word) >= len(article) + _BARE_LENGTH_MIN:
            return (word.removeprefix(article),)
    return ()
