"""The page `/pay/:paymentId/again`: how to pay an order whose attempt is over.

It holds no customer data either: what a method asks for is typed anew.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from eishro.domain.payments.port import PaymentMethod
from eishro.web.pages.pay import method_name
from eishro.web.pages.pay_words import AGAIN, LABELS
from eishro.web.pages.rendering import (
    Language,
    amount_text,
    check_nonce,
    currency_name,
    currency_text,
    json_for_html,
    render,
)


class AgainPageView(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows. `method` is what was tried, `due_dirhams` what the order owes, and
    `due_cents` the same in US dollars where the shop takes them.
    """

    payment_id: str
    order_number: str
    store_name: str
    method: str
    methods: Sequence[PaymentMethod]
    due_dirhams: int
    due_cents: int | None = None


class _Field(msgspec.Struct, frozen=True):
    name: str
    longest: int
    autocomplete: str


class _Row(msgspec.Struct, frozen=True):
    method: str
    name: str
    asks: tuple[str, ...]
    amount: str
    amount_said: str


_FIELDS = (
    _Field("phone", 20, "tel"),
    _Field("birthYear", 4, "bday-year"),
    _Field("card", 20, "off"),
)


def render_again_page(view: AgainPageView, *, language: Language, nonce: str) -> bytes:
    """The page as UTF-8 HTML.

    Raises:
        ValueError: the nonce does not fit a policy.
    """
    names = [one.method for one in view.methods]
    asked = {name for one in view.methods for name in one.asks}
    return render(
        "pay_again.html",
        language=language,
        nonce=check_nonce(nonce),
        view=view,
        label={name: words.in_(language) for name, words in LABELS.items()},
        methods=[_row(view, one, language) for one in view.methods],
        chosen=view.method if view.method in names else names[0] if names else "",
        asked=[field for field in _FIELDS if field.name in asked],
        amount=amount_text(view.due_dirhams, "LYD"),
        currency=currency_text("LYD", language),
        currency_name=currency_name("LYD", language),
        payload=json_for_html(
            {
                "address": f"/pay/{quote(view.payment_id, safe='')}/again",
                "language": language,
                "notices": {name: words.in_(language) for name, words in AGAIN.items()},
            }
        ),
    )


def _row(view: AgainPageView, method: PaymentMethod, language: Language) -> _Row:
    name = method_name(method.method, language)
    if method.currency == "LYD" or view.due_cents is None:
        return _Row(method.method, name, method.asks, "", "")
    number = amount_text(view.due_cents, method.currency)
    said = f"{number} {currency_name(method.currency, language)}"
    return _Row(method.method, name, method.asks, f"{method.currency} {number}", said)
