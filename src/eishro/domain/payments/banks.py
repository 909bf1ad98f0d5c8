"""Libyan banks, as people choose them for transfers; editable data, ids never change.

Source: the register that the national instant-payment apps use, read 2026-11; the last four are
not in it.
"""

from collections.abc import Mapping

import msgspec

from eishro.errors import Words
from eishro.text import normalise


class Bank(msgspec.Struct, frozen=True):
    """One bank."""

    id: str
    name: str
    name_en: str

    @property
    def words(self) -> Words:
        """Its name in both languages."""
        return Words(self.name_en, self.name)


BANKS: tuple[Bank, ...] = (
    Bank("jbank", "مصرف الجمهورية", "Jumhouria Bank"),
    Bank("ncb", "المصرف التجاري الوطني", "National Commercial Bank"),
    Bank("wb", "مصرف الوحدة", "Wahda Bank"),
    Bank("sb", "مصرف الصحارى", "Sahara Bank"),
    Bank("nab", "مصرف شمال أفريقيا", "North Africa Bank"),
    Bank("bcdb", "مصرف التجارة والتنمية", "Bank of Commerce and Development"),
    Bank("aman", "مصرف الأمان", "Aman Bank for Commerce and Investment"),
    Bank("atib", "مصرف السراي للتجارة والاستثمار", "Assaray Trade and Investment Bank (ATIB)"),
    Bank("med", "مصرف المتوسط", "Mediterranean Bank"),
    Bank("ubci", "المصرف المتحد للتجارة والاستثمار", "United Bank for Commerce and Investment"),
    Bank("fglb", "مصرف الخليج الأول الليبي", "First Gulf Libyan Bank"),
    Bank(
        "ejmaa",
        "مصرف الاتحاد الوطني (سابقا الإجماع العربي)",
        "National Union Bank (formerly Alejmaa Alarabi)",
    ),
    Bank("alwafa", "مصرف الوفاء", "Alwafa Bank"),
    Bank("wab", "مصرف الواحة", "Alwaha Bank"),
    Bank("nub", "مصرف النوران", "Nuran Bank"),
    Bank("yaqeen", "مصرف اليقين", "Yaqeen Bank"),
    Bank("andalus", "مصرف الأندلس", "Andalus Bank"),
    Bank("lib", "المصرف الإسلامي الليبي", "Libyan Islamic Bank"),
    Bank("tad", "مصرف التضامن", "Tadhamun Bank"),
    Bank("sib", "مصرف السراج الإسلامي", "Alseraj Islamic Bank"),
    Bank("dib", "مصرف الضمان الإسلامي", "Daman Islamic Bank"),
    Bank("ifb", "مصرف التمويل الإسلامي", "Islamic Finance Bank"),
    Bank("aiib", "مصرف الاستثمار العربي الإسلامي", "Arab Islamic Investment Bank"),
    Bank("devb", "مصرف التنمية", "Development Bank"),
    Bank("lfb", "المصرف الليبي الخارجي", "Libyan Foreign Bank"),
    Bank("cbl", "مصرف ليبيا المركزي", "Central Bank of Libya"),
    Bank("acb", "المصرف التجاري العربي", "Arab Commercial Bank"),
    Bank("sreib", "مصرف الادخار والاستثمار العقاري", "Savings and Real Estate Investment Bank"),
    Bank("agb", "المصرف الزراعي", "Agricultural Bank"),
)
_KNOWN: Mapping[str, Bank] = {
    normalise(text): bank for bank in BANKS for text in (bank.id, bank.name, bank.name_en)
}


def find_bank(text: str) -> Bank | None:
    """The bank of this id, or of this Arabic or English name."""
    return _KNOWN.get(normalise(text))


def bank_words(text: str) -> Words:
    """How a bank is shown: a known one in both languages, any other as it was written."""
    bank = find_bank(text)
    return bank.words if bank is not None else Words(text, text)
