"""The index of `/sandbox`: what plays the outside world during development, and test cards."""

from collections.abc import Sequence

import msgspec

from eishro.errors import Words
from eishro.web.pages.rendering import Language, render, web_address

OTP = "111111"


class TestCard(msgspec.Struct, frozen=True):
    """A card that the simulated gateway takes or refuses; `expiry` is `MM/YY`, empty for any."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    number: str
    expiry: str = ""
    outcome: Words = Words("accepted", "مقبولة")


# Published by the gateway for its test environment (payments.md 1.1).
TEST_CARDS = (
    TestCard("6394993077260781", "10/23, 10/27"),
    TestCard("6395003016111159", "02/26"),
    TestCard("6395043835180860"),
    TestCard("6395043165725698"),
    TestCard("6395043170446256", "01/27"),
)

_WORDS = {
    "title": Words("Sandbox", "بيئة التجربة"),
    "intro": Words(
        "Here the outside world is played on this machine: payment gateways, carriers and mail. "
        "No real money moves and no message leaves. It exists in development only.",
        "تحاكي هذه البيئة العالم الخارجي على هذا الجهاز: بوابات الدفع وشركات التوصيل والبريد. "
        "لا تتحرك أي أموال حقيقية ولا تُرسل أي رسالة، وهي متاحة أثناء التطوير فقط.",
    ),
    "links": Words("Pages", "الصفحات"),
    "cards": Words("Test cards", "بطاقات الاختبار"),
    "number": Words("Card number", "رقم البطاقة"),
    "expiry": Words("Expiry", "الانتهاء"),
    "outcome": Words("Outcome", "النتيجة"),
    "any": Words("any", "أي تاريخ"),
    "otp": Words("One-time code for all of them:", "رمز التحقق لجميع البطاقات:"),
}


def render_sandbox_index(
    links: Sequence[tuple[str, str, str]],
    *,
    language: Language = "ar",
    own_cards: Sequence[TestCard] = (),
) -> bytes:
    """The page as UTF-8 HTML; `CONTENT_SECURITY_POLICY` suits it.

    Args:
        links: address (a path here, or http and https), its name in Arabic and in English.
        own_cards: further cards of the simulator, such as ones that are declined.

    Raises:
        ValueError: a link is neither a path nor a web address.
    """
    return render(
        "sandbox.html",
        language=language,
        label={name: words.in_(language) for name, words in _WORDS.items()},
        links=[
            (_checked(address), Words(en, ar).in_(language), Words(en, ar).in_(_other(language)))
            for address, ar, en in links
        ],
        other=_other(language),
        cards=[
            (_grouped(card.number), card.expiry, card.outcome.in_(language))
            for card in (*TEST_CARDS, *own_cards)
        ],
        otp=OTP,
    )


CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def _other(language: Language) -> Language:
    return "ar" if language == "en" else "en"


def _checked(address: str) -> str:
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    if not is_path and web_address(address) is None:
        raise ValueError(f"not a path or web address: {address!r}")
    return address


def _grouped(number: str) -> str:
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
