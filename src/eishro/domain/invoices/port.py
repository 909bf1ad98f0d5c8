"""What prints pages: a layout and fonts are somebody else's trade."""

from datetime import datetime
from typing import Protocol

import msgspec


class Label(msgspec.Struct, frozen=True):
    """A word in Arabic, and in English beside it."""

    ar: str
    en: str


class Text(msgspec.Struct, frozen=True):
    """A text somebody wrote, made safe to print; it reads from right to left or not."""

    text: str
    is_rtl: bool = True


class Fact(msgspec.Struct, frozen=True):
    """A label and what stands beside it."""

    label: Label
    value: Text


class Row(msgspec.Struct, frozen=True):
    """One line of the table; amounts are printed texts."""

    name: Text
    details: Text | None
    quantity: str
    unit_price: str
    discount: str
    total: str


class Sum(msgspec.Struct, frozen=True):
    """One amount below the table; the last one is the total."""

    label: Label
    amount: str


class Page(msgspec.Struct, frozen=True):
    """A document ready for the press, every value a text. `link` becomes a QR code."""

    title: Label
    number: str
    issued_at: datetime
    seller: Text
    seller_facts: tuple[Fact, ...]
    buyer_facts: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    columns: tuple[Label, ...]
    rows: tuple[Row, ...]
    sums: tuple[Sum, ...]
    link: str
    link_label: Label
    buyer_label: Label


class Press(Protocol):
    """Makes a PDF of a page: the same page gives the same bytes."""

    async def print_page(self, page: Page) -> bytes:
        """The document.

        Raises:
            Unavailable: too many documents wait to be printed.
        """
        ...

    async def aclose(self) -> None:
        """Finish what is being printed."""
        ...
