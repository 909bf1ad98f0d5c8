"""References, bank references, banks, pictures and codes as values."""

import contextlib
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.adapters.payments.lypay_qr import NoCode, crc16, fields_of, payload
from eishro.domain.payments.banks import BANKS, bank_words, find_bank
from eishro.domain.payments.credit_file import read_credits
from eishro.domain.payments.transfers import (
    ALPHABET,
    Beneficiary,
    bank_reference_form,
    is_reference,
    new_reference,
    references_in,
    shown_reference,
)
from eishro.errors import Invalid
from eishro.pictures import look_at
from eishro.sheets import SheetRow, read_sheet
from tests.transferring import JPEG, PNG

_PORTAL = Beneficiary(
    name="Eshro Store",
    bank="jbank",
    iban="LY5802500810085121000",  # as the portal's sample has it; no valid one
    institution="001 - Jumhouria Bank",
)


def test_a_new_reference_checks_itself_and_has_no_look_alikes() -> None:
    made = {new_reference() for _ in range(500)}
    assert len(made) == 500
    assert all(is_reference(one) for one in made)
    assert not set("0O1IL2S5B8DQU") & set(ALPHABET)


def test_a_wrong_or_swapped_character_is_always_noticed(rng: random.Random) -> None:
    for reference in [new_reference() for _ in range(30)]:
        place = rng.randrange(len(reference))
        for character in ALPHABET.replace(reference[place], ""):
            assert not is_reference(reference[:place] + character + reference[place + 1 :])
        for first in range(len(reference) - 1):
            a, b = reference[first], reference[first + 1]
            if a != b:
                assert not is_reference(reference[:first] + b + a + reference[first + 2 :])


def test_references_are_found_however_they_are_written() -> None:
    one, two = new_reference(), new_reference()
    assert references_in(f"حوالة واردة {one} شكرا") == [one]
    # Once in twenty-three a word before one makes another by chance; nobody's, and so harmless.
    found = references_in(f"TRF {shown_reference(one).lower()}/{' '.join(two)}")
    assert [reference for reference in found if reference in (one, two)] == [one, two]
    assert len(found) <= 3
    assert references_in(f"{one} {one}") == [one]
    assert one not in references_in(f"X{one}")
    arabic = one.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert references_in(arabic) == [one]


def test_words_before_a_reference_may_make_another() -> None:
    text = "TRF fxz-6vp-mfk/X T 7 P Y J H W K"
    assert references_in(text) == ["TRFFXZ6VP", "FXZ6VPMFK", "XT7PYJHWK"]
    assert references_in("TRF kgj-ct4-9c6/C4X46VPYA") == ["KGJCT49C6", "C4X46VPYA"]


@given(st.text(max_size=200))
def test_no_text_stops_the_search(text: str) -> None:
    assert all(is_reference(found) for found in references_in(text))
    assert bank_reference_form(bank_reference_form(text)) == bank_reference_form(text)


def test_bank_references_are_equal_in_every_spelling() -> None:
    assert bank_reference_form(" ft ٢٦-01/٧a ") == "FT26017A"
    assert bank_reference_form("--- ") == ""


def test_banks_have_ids_of_their_own_and_are_found_by_name() -> None:
    assert len({bank.id for bank in BANKS}) == len(BANKS)
    bank = find_bank(" مصرف الجمهوريه ")
    assert bank is not None
    assert bank.id == "jbank"
    assert bank_words("مصرف آخر") == ("مصرف آخر", "مصرف آخر")


def test_the_check_sum_is_the_published_one() -> None:
    assert crc16("123456789") == "29B1"


def test_a_code_has_the_fields_of_the_portal_s_sample() -> None:
    assert payload(_PORTAL, 25_500) == (
        "0002010102122711Eshro Store2804IBAN2921LY58025008100851210003020001 - Jumhouria Bank"
        "5303434540625.5005802LY6304A5AA"
    )


def test_a_code_names_the_payment() -> None:
    reference = new_reference()
    fields = fields_of(payload(_PORTAL, 1, reference))
    assert (fields["54"], fields["62"]) == ("0.001", f"0509{reference}")
    with pytest.raises(ValueError, match="check sum"):
        fields_of(payload(_PORTAL, 1).replace("0.001", "0.002"))


def test_a_code_takes_an_alias_and_only_latin_letters() -> None:
    to = Beneficiary(name="متجر", bank="wb", account_number="1", alias="waha@wb")
    fields = fields_of(payload(to, 5))
    assert (fields["27"], fields["28"], fields["29"]) == ("Merchant", "Alias", "waha@wb")
    with pytest.raises(NoCode):
        payload(Beneficiary(name="x", bank="wb", account_number="1"), 5)


def test_pictures_are_told_by_their_first_bytes() -> None:
    png, jpeg = look_at(PNG), look_at(JPEG)
    assert png is not None
    assert (png.type, png.width, png.height, png.is_sane) == ("image/png", 800, 600, True)
    assert jpeg is not None
    assert (jpeg.type, jpeg.width, jpeg.height) == ("image/jpeg", 800, 600)
    lossy = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 7 + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
    webp = look_at(lossy)
    assert webp is not None
    assert (webp.type, webp.width, webp.height) == ("image/webp", 640, 480)
    huge = look_at(PNG[:16] + struct.pack(">II", 60_000, 60_000))
    assert huge is not None
    assert not huge.is_sane


@given(st.binary(max_size=60), st.sampled_from([b"", PNG[:8], JPEG[:3], b"RIFF\0\0\0\0WEBP"]))
def test_no_bytes_stop_the_look(content: bytes, beginning: bytes) -> None:
    look_at(beginning + content)


def test_an_amount_that_a_comma_cut_in_two_is_never_its_first_half() -> None:
    text = b"reference,description,credit,balance\nR1,x,25,500,900\nR2,x,25.500,900\n"
    with pytest.raises(Invalid) as refused:
        read_credits(read_sheet(text, 10))
    assert set(refused.value.faults) == {"rows[2]"}
    assert "quotes" in refused.value.faults["rows[2]"].en
    assert "اقتباس" in refused.value.faults["rows[2]"].ar
    # What is as wide as the headers is kept and flagged, since it has no amount that is certain.
    for headers, row in (
        (b"reference,description,credit,debit", b"R1,x,25,500"),
        (b"reference,description,credit,debit", b"R1,x,25,500,"),
        (b"reference,description,credit,date", b"R1,x,25,500"),
    ):
        (found,) = read_credits(read_sheet(headers + b"\n" + row + b"\n", 10))
        assert (found.amount_dirhams, found.bank_reference) == (None, "R1")
    quoted = b'reference,description,credit\nR1,x,"1,025.500"\n'
    assert read_credits(read_sheet(quoted, 10))[0].amount_dirhams == 1_025_500


@given(st.lists(st.lists(st.text(max_size=20), max_size=5), max_size=6))
def test_no_table_stops_the_reading(rows: list[list[str]]) -> None:
    sheet = [SheetRow(1, ("المرجع", "البيان", "دائن"))]
    sheet += [SheetRow(number, tuple(cells)) for number, cells in enumerate(rows, 2)]
    with contextlib.suppress(Invalid):
        found = read_credits(sheet)
        assert all(row.amount_dirhams is None or row.amount_dirhams > 0 for row in found)
