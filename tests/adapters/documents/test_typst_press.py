"""The press: Arabic joined and from right to left, pages, the same bytes, texts that mean harm."""

import asyncio
import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pypdf
import pytest
from pypdf.generic import ContentStream

from eishro.adapters.documents import typst_press
from eishro.adapters.documents.typst_press import PressBusy, TypstPress, print_now
from eishro.domain.invoices.model import Buyer, Content, Invoice, Item, Payment, Seller
from eishro.domain.invoices.page import page_of
from eishro.domain.invoices.port import Page

pytestmark = pytest.mark.anyio
_AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def _page(*items: Item, **members: Any) -> Page:
    content: dict[str, Any] = {
        "order_number": "K7M2QX9B",
        "ordered_at": _AT,
        "link": "https://shop.example.ly/api/orders/ord_0",
        "seller": Seller("متجر النور", register_number="12345", address="طرابلس"),
        "buyer": Buyer("فاطمة علي", "+218912345678", "طرابلس", "شارع الجمهورية"),
        "payment": Payment("الدفع عند الاستلام", "Cash on delivery", "pending"),
        "items": items,
        "total_dirhams": 12_500,
        **members,
    }
    raw = msgspec.Raw(msgspec.json.encode(Content(**content)))
    return page_of(Invoice("ivc_0", 1, "invoice", 123, "ord_0", None, _AT, raw))


def _read(document: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(document))


def _glyphs(document: bytes) -> list[tuple[str, bytes]]:
    """Every glyph of the first page with its font, in the order they are drawn."""
    reader = _read(document)
    contents = reader.pages[0].get_contents()
    assert contents is not None
    found: list[tuple[str, bytes]] = []
    font = ""
    for operands, operator in ContentStream(contents, reader).operations:
        font = str(operands[0]) if operator == b"Tf" else font
        parts = operands[0] if operator == b"TJ" else operands if operator == b"Tj" else []
        for part in parts:
            text = getattr(part, "original_bytes", b"")
            found += [(font, text[at : at + 2]) for at in range(0, len(text), 2)]
    return found


def test_number_amounts_and_names_can_be_read_out() -> None:
    document = print_now(_page(Item("iPhone 15", 2, 25_000, 12_500), total_dirhams=35_000))
    text = _read(document).pages[0].extract_text()
    for expected in ("INV-000123", "K7M2QX9B", "35.000", "12.500", "iPhone 15", "12345"):
        assert expected in text
    assert document.startswith(b"%PDF-1.7")


def test_the_font_is_in_the_file_and_no_other_is_needed() -> None:
    document = _read(print_now(_page(Item("قميص قطني Gucci", 1, 12_500, 12_500))))
    fonts = document.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    names = {fonts[name]["/BaseFont"] for name in fonts}
    assert {str(name).partition("+")[2] for name in names} == {
        "IBMPlexSansArabic-Regular",
        "IBMPlexSansArabic-Bold",
    }


def test_arabic_letters_are_joined() -> None:
    """A letter three times is three glyphs, initial, medial and final; alone it is a fourth."""
    alone = _glyphs(print_now(_page(Item("ظ", 1, 12_500))))
    joined = _glyphs(print_now(_page(Item("ظظظ", 1, 12_500))))
    both = _glyphs(print_now(_page(Item("ظظظ ظ", 1, 12_500))))
    assert len(joined) == len(alone) + 2
    # A subset numbers its glyphs anew, so their kinds are counted.
    assert len(set(joined)) == len(set(alone)) + 2
    assert len(set(both)) == len(set(joined)) + 1


def test_the_first_letter_of_arabic_is_drawn_on_the_right() -> None:
    page = _read(print_now(_page(Item("قميص", 1, 12_500)))).pages[0]
    places: dict[str, float] = {}

    def note(text: str, _: Any, matrix: list[float], *__: Any) -> None:
        for word in ("INV-000123", "K7M2QX9B"):
            if word in text:
                places.setdefault(word, matrix[4])

    page.extract_text(visitor_text=note)
    width = float(page.mediabox.width)
    # The document's number stands at the far end of the first line, which is the left.
    assert places["INV-000123"] < width / 4


def test_the_same_page_gives_the_same_bytes() -> None:
    page = _page(Item("قميص", 1, 12_500, 12_500))
    assert print_now(page) == print_now(page)
    assert print_now(page) != print_now(_page(Item("قميص", 2, 12_500, 12_500)))


def test_a_hundred_lines_go_over_pages_with_their_heads() -> None:
    document = _read(print_now(_page(*(Item(f"Item {n}", 1, 1_000, 1_000) for n in range(100)))))
    texts = [page.extract_text() for page in document.pages]
    assert len(texts) == 3
    assert all("Unit price" in text and "INV-000123" in text for text in texts)
    assert "Item 99" in texts[-1]


HOSTILE = (
    "\u202eevil\u202c قميص \u2067x",
    '#eval(1) #read("/etc/passwd") $x^2$ *b* <b>html</b> \\ `c` [x] // /* @preview/x',
    "ا" * 300,
    "W" * 300,
    "e" + "\u0301" * 300,
    "👩‍👩‍👧 漢字 ไทย हिन्दी עברית \U000e0041 \uffff",
    "\x00\x07\n\r\t\x1b[31m",
    "",
    "{{ 7*7 }} ${7*7} %s %n",
    '"},"page":{"title":1}',
)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_that_mean_harm_do_none(text: str) -> None:
    page = _page(
        Item(text, 1, 12_500, details=text, sku=text),
        seller=Seller(text, legal_name=text, address=text, phone=text),
        buyer=Buyer(text, text, text, text, text),
        payment=Payment(text, text, "pending"),
        reason=text,
    )
    document = _read(print_now(page))
    assert 1 <= len(document.pages) <= 3
    assert "root:" not in document.pages[0].extract_text()
    for name in ("/OpenAction", "/AA", "/AcroForm"):
        assert name not in document.trailer["/Root"]  # type: ignore[operator]


async def test_a_press_prints_few_at_once_and_refuses_a_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typst_press, "WAITING_MAX", 3)
    press = TypstPress()
    pages = [_page(Item(f"x{n}", 1, 12_500)) for n in range(8)]
    made = await asyncio.gather(*map(press.print_page, pages), return_exceptions=True)
    assert sum(isinstance(one, bytes) for one in made) == typst_press.PRINTS_AT_ONCE + 3
    assert all(isinstance(one, bytes | PressBusy) for one in made)
    assert isinstance(await press.print_page(pages[0]), bytes)
    await press.aclose()


async def test_without_the_compiler_it_says_which_package_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError) as refused:
        await TypstPress().print_page(_page(Item("x", 1, 12_500)))
    assert refused.value.name == "typst"
