"""Addresses, proven telephones and one-time codes as values. Pure: no clock, no database."""

import secrets
from datetime import datetime, timedelta

import msgspec

from eishro.errors import Conflict, NotFound, Words

ADDRESSES_MAX = 50  # of one account
PHONES_MAX = 20  # proven by one account
CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)
CODE_TRIES_MAX = 5

# Around Libya with its waters, in millionths of a degree: a pin that is swapped or far away is a
# slip of whoever typed it.
LATITUDES = (19_000_000, 34_500_000)
LONGITUDES = (9_000_000, 26_000_000)


class Address(msgspec.Struct, frozen=True):
    """A place in an account's address book. `slot` is its place among `ADDRESSES_MAX`; the pin is
    in millionths of a degree, both or none.
    """

    id: str
    user_id: int
    slot: int
    label: str
    name: str
    phone: str
    city_code: str
    area: str | None
    landmark: str | None
    address: str
    latitude_microdegrees: int | None
    longitude_microdegrees: int | None
    notes: str | None
    is_default: bool
    created_at: datetime
    updated_at: datetime
    version: int


class ProvenPhone(msgspec.Struct, frozen=True):
    """A telephone (E.164) whose holder is the account's person; one account at a time has it."""

    phone: str
    user_id: int
    proven_at: datetime


class PhoneCode(msgspec.Struct, frozen=True):
    """The live code of an account: for which telephone, and how often it was guessed."""

    user_id: int
    phone: str
    code_hash: str
    tries: int
    expires_at: datetime
    version: int

    def is_open(self, at: datetime) -> bool:
        """True while a guess is looked at."""
        return at < self.expires_at and self.tries < CODE_TRIES_MAX


class AddressNotFound(NotFound):
    """No such address in the caller's book."""

    words = Words("There is no such address.", "لا يوجد عنوان كهذا.")


class TooManyAddresses(Conflict):
    """The book is full."""

    words = Words(
        f"An address book has at most {ADDRESSES_MAX} addresses.",
        f"يتسع دفتر العناوين إلى {ADDRESSES_MAX} عنوانا على الأكثر.",
    )


class TooManyPhones(Conflict):
    """The account has proven as many telephones as it may."""

    words = Words(
        f"An account proves at most {PHONES_MAX} phones.",
        f"يثبت الحساب {PHONES_MAX} أرقام هاتف على الأكثر.",
    )


def new_code() -> str:
    """A one-time code that cannot be guessed in `CODE_TRIES_MAX` tries."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def free_slot(taken: list[int]) -> int:
    """The lowest place that is not taken.

    Raises:
        TooManyAddresses
    """
    for slot in range(ADDRESSES_MAX):
        if slot not in taken:
            return slot
    raise TooManyAddresses()
