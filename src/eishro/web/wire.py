"""Values on the wire: custom member types, decoding with every fault named, encoding.

Money crosses the wire as a JSON number in dinars with at most 3 decimals and is read from its
own text, so that nothing is rounded on the way. Nothing is coerced: `"2"` is not 2.
"""

import functools
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import Meta

from eishro.domain.shipping.cities import find_city
from eishro.domain.shipping.rates import COD_ROUNDINGS
from eishro.domain.shipping.zones import find_place
from eishro.errors import Words
from eishro.money import DIRHAMS_MAX, decimal_from_dirhams, dirhams_from_decimal
from eishro.phones import normalise_phone

NO_CONTROL = r"^[^\u0000-\u001f\u007f]*$"
_NO_NUL = r"^[^\u0000]*$"

# What shows nothing: spaces, controls, joiners, marks of direction, fillers.
_UNSEEN = (
    r"\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
# No control character, and something to see.
VISIBLE = rf"^[^\u0000-\u001f\u007f]*[^{_UNSEEN}][^\u0000-\u001f\u007f]*$"


def in_words(english: str, arabic: str) -> dict[str, object]:
    """What a pattern wants, for `Meta(extra=…)`: nobody should have to read an expression."""
    return {"words": Words(english, arabic)}


# Texts have a length, and no control characters (a NUL is refused by PostgreSQL).
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=120,
        pattern=VISIBLE,
    ),
]
ShortText = Annotated[str, Meta(max_length=200, pattern=NO_CONTROL)]
LongText = Annotated[str, Meta(max_length=10_000, pattern=_NO_NUL)]
Note = Annotated[str, Meta(max_length=1_000, pattern=_NO_NUL)]
# With a letter somewhere: an address of digits alone is an id.
Slug = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=60,
        pattern=r"^([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        extra=in_words(
            "must be 2 to 60 small Latin letters and digits with single hyphens between, "
            "with a letter among them",
            "يجب أن يكون من 2 إلى 60 حرفا لاتينيا صغيرا ورقما بينها شرطات مفردة، وفيه حرف",
        ),
    ),
]
IntegerId = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class WireType:
    """A member with a rule of its own; `parse` raises ValueError, `expected` says the rule."""

    expected: ClassVar[Words]
    schema: ClassVar[dict[str, Any]]

    @classmethod
    def parse(cls, value: object) -> Self:
        """The value checked; raises ValueError."""
        raise NotImplementedError


class Dinars(WireType):
    """An amount, 0 or more: a JSON number with at most 3 decimals."""

    __slots__ = ("dirhams",)
    expected = Words(
        "must be an amount in dinars: a number from 0 with at most 3 decimals",
        "يجب أن يكون مبلغا بالدينار: عددا من صفر فأكثر وبثلاث خانات عشرية على الأكثر",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "number",
        "minimum": 0,
        "maximum": DIRHAMS_MAX // 1000,
        "multipleOf": 0.001,
        "examples": [25.5],
    }

    def __init__(self, dirhams: int) -> None:
        self.dirhams = dirhams

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(cls.expected.en)  # noqa: TRY004 - msgspec wants ValueError
        dirhams = dirhams_from_decimal(Decimal(value))
        if dirhams < 0:
            raise ValueError(cls.expected.en)
        return cls(dirhams)


class CodRounding(Dinars):
    """What the total of an order paid in cash is rounded up to: a coin or note, or 0."""

    __slots__ = ()
    expected = Words("must be 0, 0.25, 0.5 or 1 dinar", "يجب أن يكون 0 أو 0.25 أو 0.5 أو 1 دينار")
    schema: ClassVar[dict[str, Any]] = {"enum": [0, 0.25, 0.5, 1]}

    @classmethod
    def parse(cls, value: object) -> Self:
        amount = super().parse(value)
        if amount.dirhams not in COD_ROUNDINGS:
            raise ValueError(cls.expected.en)
        return amount


class Phone(WireType):
    """A telephone number, Libyan forms welcome; kept as E.164."""

    __slots__ = ("number",)
    expected = Words(
        "must be a phone number such as 0912345678",
        "يجب أن يكون رقم هاتف مثل 0912345678",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 40,
        "examples": ["0912345678"],
    }

    def __init__(self, number: str) -> None:
        self.number = number

    @classmethod
    def parse(cls, value: object) -> Self:
        number = normalise_phone(value) if isinstance(value, str) and len(value) <= 40 else None
        if number is None:
            raise ValueError(cls.expected.en)
        return cls(number)


class CityName(WireType):
    """A Libyan city by Arabic or English name or code."""

    __slots__ = ("code",)
    expected = Words(
        "must be a Libyan city from /api/locations/cities",
        "يجب أن تكون مدينة ليبية من القائمة /api/locations/cities",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 60,
        "examples": ["طرابلس", "Benghazi", "misrata"],
    }

    def __init__(self, code: str) -> None:
        self.code = code

    @classmethod
    def parse(cls, value: object) -> Self:
        city = find_city(value) if isinstance(value, str) and len(value) <= 60 else None
        if city is None:
            raise ValueError(cls.expected.en)
        return cls(city.code)


class PlaceName(WireType):
    """Where a delivery zone reaches: a city, a district, a region or the rest of the country."""

    __slots__ = ("place",)
    expected = Words(
        "must be a city or the code of a district of /api/locations, west, east, south or *",
        "يجب أن تكون مدينة أو رمز شعبية من /api/locations أو west أو east أو south أو *",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 60,
        "examples": ["مصراتة", "tobruk", "LY-BA", "west", "*"],
    }

    def __init__(self, place: str) -> None:
        self.place = place

    @classmethod
    def parse(cls, value: object) -> Self:
        place = find_place(value) if isinstance(value, str) and len(value) <= 60 else None
        if place is None:
            raise ValueError(cls.expected.en)
        return cls(place)


_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{3,250}\Z)"
    r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+"
)


class Email(WireType):
    """An e-mail address; kept in lower case."""

    __slots__ = ("address",)
    expected = Words("must be an e-mail address", "يجب أن يكون بريدا إلكترونيا صحيحا")
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "format": "email",
        "maxLength": 254,
        "examples": ["buyer@example.ly"],
    }

    def __init__(self, address: str) -> None:
        self.address = address

    @classmethod
    def parse(cls, value: object) -> Self:
        if not isinstance(value, str) or len(value) > 254 or not _EMAIL.fullmatch(value.strip()):
            raise ValueError(cls.expected.en)
        return cls(value.strip().lower())


class WebAddress(WireType):
    """An absolute http or https address, or a path on this server such as `/media/…`."""

    __slots__ = ("url",)
    expected = Words(
        "must be an http(s) address or a path that begins with /",
        "يجب أن يكون عنوان http(s) أو مسارا يبدأ بالعلامة /",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "maxLength": 500,
        "examples": ["https://shop.example.ly/thanks", "/media/demo/shirt.webp"],
    }
    _SHAPE = re.compile(r"(https?://[A-Za-z0-9.\[\]:-]+(/[!-~]*)?|/(?!/)[!-~]*)")

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    def parse(cls, value: object) -> Self:
        if (
            not isinstance(value, str)
            or len(value) > 500
            or not cls._SHAPE.fullmatch(value)
            or any(c in value for c in "\"'<>\\`{}")
        ):
            raise ValueError(cls.expected.en)
        return cls(value)


class Instant(WireType):
    """A point in time, ISO 8601 with its zone; a bare number is not one."""

    __slots__ = ("at",)
    expected = Words(
        "must be a time such as 2026-01-15T08:30:00Z",
        "يجب أن يكون وقتا مثل 2026-01-15T08:30:00Z",
    )
    schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def __init__(self, at: datetime) -> None:
        self.at = at

    @classmethod
    def parse(cls, value: object) -> Self:
        at = msgspec.convert(value, datetime)
        if at.tzinfo is None:
            raise ValueError(cls.expected.en)
        return cls(at)


def read_hook(kind: type, value: object) -> object:
    """Msgspec's door for custom types."""
    if issubclass(kind, WireType):
        return kind.parse(value)
    raise NotImplementedError(kind)


def dinars(dirhams: int) -> Decimal:
    """An amount for an answer: exactly three decimals."""
    return decimal_from_dirhams(dirhams)


def optional_dinars(dirhams: int | None) -> Decimal | None:
    """The same for an amount that may be missing."""
    return None if dirhams is None else decimal_from_dirhams(dirhams)


_encoder = msgspec.json.Encoder(decimal_format="number")
encode = _encoder.encode

_any_decoder = msgspec.json.Decoder(float_hook=Decimal)


def decode_any(body: bytes) -> object:
    """JSON as Python values, numbers with decimals as exact `Decimal`.

    Raises:
        msgspec.DecodeError, RecursionError, ValueError: not JSON.
    """
    return _any_decoder.decode(body)


def decoder_for(kind: type) -> "msgspec.json.Decoder[Any]":
    """A strict decoder of `kind` that knows the wire types."""
    return msgspec.json.Decoder(kind, dec_hook=read_hook, float_hook=Decimal)


@functools.cache
def members_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The type of each member by its name on the wire; asked of msgspec once."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def query_values(kind: type[msgspec.Struct], query: Mapping[str, object]) -> dict[str, object]:
    """The query's parameters that `kind` knows; text only (a repeated one stays a list)."""
    known = members_of(kind)
    return {name: value for name, value in query.items() if name in known}
