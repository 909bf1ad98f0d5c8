"""Carriers by the names people type: two spellings of one are one courier in the books. Pure.

What is compared is the key, what is shown stays as it was typed. A name's key is its words
without those that say nothing of their own (express, delivery, شركة …), joined by hyphens; carriers
that are known in Libya have further names, in both scripts. Anything else is a carrier by its own.
"""

from eishro.text import words

KEY_LENGTH_MAX = 40
# Key, and the other names that people type for it, as words.
_KNOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("amyal", ("أميال", "amial", "ameyal", "amyall")),
    ("aramex", ("أرامكس", "ارامكس")),
    ("camex", ("كامكس", "كاميكس")),
    ("d-express", ("dexpress", "دي اكسبريس", "دي اكسبرس", "دي إكسبريس")),
    ("darb", ("درب", "darb sabil", "درب السبيل", "darbsabil", "darb al sabil")),
    ("dhl", ("دي اتش ال", "دي إتش إل")),
    ("manual", ("يدوي",)),
    ("miaar", ("معيار", "miar", "meaar")),
    ("vanex", ("فانكس", "فانيكس", "van ex")),
    ("wingsly", ("وينجزلي", "وينجسلي", "wings ly")),
)
# Words beside a name: kinds of companies and of what they do.
_EMPTY = frozenset(
    word
    for text in (
        "express company co llc ltd delivery shipping courier couriers logistics services service",
        "the for libya ly group cargo post transport carrier",
        "شركة مؤسسة مكتب مجموعة توصيل للتوصيل التوصيل شحن للشحن الشحن خدمات لخدمات الخدمات",
        "سريع السريع السريعة اكسبريس اكسبرس إكسبريس لوجستيات اللوجستية للنقل النقل ليبيا ال",
    )
    for word in words(text)
)


def _joined(text: str) -> str:
    return "".join(words(text))


_BY_NAME = {_joined(name): key for key, names in _KNOWN for name in (key, *names)}


def carrier_key(name: str) -> str:
    """What the carrier is called in accounts and look-ups; empty if the name says nothing.

    Example: `Amyal Express`, `شركة أميال للشحن` and `AMYAL` give `amyal`; `صقر الجنوب` gives
    its own words, normalised and hyphened.
    """
    typed = words(name)
    told = [word for word in typed if word not in _EMPTY] or typed
    for found in ("".join(typed), "".join(told)):
        if found in _BY_NAME:
            return _BY_NAME[found]
    return "-".join(told)
