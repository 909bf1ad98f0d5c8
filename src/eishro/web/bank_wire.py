"""Values on the wire that banks know: IBANs, days, references."""

from typing import Any, ClassVar, Self

from eishro.cells import read_date
from eishro.domain.payments.transfers import bank_reference_form
from eishro.domain.payouts.iban import normalise_iban
from eishro.errors import Words
from eishro.web.wire import WireType


class Iban(WireType):
    """A Libyan IBAN; spaces and Arabic digits are welcome."""

    __slots__ = ("iban",)
    expected = Words(
        "must be a Libyan IBAN: LY and 23 digits whose check digits fit",
        "يجب أن يكون رقم IBAN ليبيا صحيحا: LY متبوعة بـ 23 رقما",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 60,
        "examples": ["LY83002048000020100120361"],
    }

    def __init__(self, iban: str) -> None:
        self.iban = iban

    @classmethod
    def parse(cls, value: object) -> Self:
        iban = normalise_iban(value) if isinstance(value, str) and len(value) <= 60 else None
        if iban is None:
            raise ValueError(cls.expected.en)
        return cls(iban)


class Day(WireType):
    """A day, year first or day first; Arabic digits are welcome. Kept as `2026-01-15`."""

    __slots__ = ("day",)
    expected = Words("must be a date such as 2026-01-15", "يجب أن يكون تاريخا مثل 2026-01-15")
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 30,
        "examples": ["2026-01-15", "15/01/2026"],
    }

    def __init__(self, day: str) -> None:
        self.day = day

    @classmethod
    def parse(cls, value: object) -> Self:
        day = read_date(value) if isinstance(value, str) and len(value) <= 30 else None
        if day is None:
            raise ValueError(cls.expected.en)
        return cls(day)


class BankReference(WireType):
    """How a bank knows a transfer; kept in capitals and Latin digits, without signs between."""

    __slots__ = ("reference",)
    expected = Words(
        "must be the bank's reference of the transfer, with letters or digits",
        "يجب أن يكون مرجع المصرف للتحويل، ويحتوي على أحرف أو أرقام",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "minLength": 1,
        "maxLength": 60,
        "examples": ["FT26015A7K2Q"],
    }

    def __init__(self, reference: str) -> None:
        self.reference = reference

    @classmethod
    def parse(cls, value: object) -> Self:
        text = value if isinstance(value, str) and len(value) <= 60 else ""
        reference = bank_reference_form(text)
        if not reference or not text.isprintable():
            raise ValueError(cls.expected.en)
        return cls(reference)
