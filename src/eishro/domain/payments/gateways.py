"""What a payment gateway needs to be used, as data: the fields of its credentials.

An adapter declares one `Gateway`; settings, the stores' own credentials, their checks and the
pages about them are made from it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from eishro.clock import Clock
from eishro.domain.payments.exchanges import Journal
from eishro.domain.payments.port import PaymentMethod, PaymentProvider, Stamps
from eishro.outward import WebHttp


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a gateway's credentials, text.

    `default` is used where nothing is given; `sandbox` is what the built-in simulator knows, used
    under `eishro dev` where nothing is given. `published` are values that anybody may read in the
    vendor's papers: refused in production. `choices` empty: any text up to `longest` characters.
    """

    name: str
    about: str
    default: str = ""
    sandbox: str = ""
    is_secret: bool = False
    is_required: bool = False
    published: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    longest: int = 500


class Tools(NamedTuple):
    """What adapters are built with. `public_url` is this shop's own, without a slash at its end."""

    http: WebHttp
    stamps: Stamps
    clock: Clock
    public_url: str
    journal: Journal

    def of(self, provider: str) -> "Tools":
        """The same for one gateway: its calls are noted."""
        return self._replace(http=self.journal.watch(self.http, provider))


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway: its credentials are settings `EISHRO_<PREFIX>_<FIELD>`, or a store's own.

    `build` makes the adapter of complete fields; it raises `ValueError`, which names the field and
    never its value. `url_fields` are the fields that under `eishro dev` are left to the simulator,
    with the path of each below `/sandbox/<provider>`; `live` and `test` are defaults by mode.
    `reference_of` reads the wire reference that a notification names (None: it tells nothing by
    itself), so that it is heard where only stores have accounts.
    `is_always_there`: the adapter is built without any credentials, and no store has its own.
    """

    provider: str
    prefix: str
    fields: tuple[Field, ...]
    methods: tuple[PaymentMethod, ...]
    build: Callable[[Mapping[str, str], Tools], PaymentProvider]
    url_fields: Mapping[str, str] = {}
    live: Mapping[str, str] = {}
    test: Mapping[str, str] = {}
    is_off_by_default: bool = False
    reference_of: Callable[[bytes], str | None] | None = None
    is_always_there: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the fields without which it cannot be used."""
        return tuple(field.name for field in self.fields if field.is_required)

    def completed(self, given: Mapping[str, str], *, is_live: bool) -> dict[str, str]:
        """Every field: what was given, else the mode's default, else the field's."""
        by_mode = self.live if is_live else self.test
        return {
            field.name: given.get(field.name) or by_mode.get(field.name) or field.default
            for field in self.fields
        }

    def simulated(self, given: Mapping[str, str], simulator_url: str) -> dict[str, str]:
        """Every field as the built-in simulator at this address knows it, but what was given."""
        paths = {name: simulator_url + path for name, path in self.url_fields.items()}
        return {
            field.name: given.get(field.name)
            or paths.get(field.name)
            or field.sandbox
            or field.default
            for field in self.fields
        }

    def missing(self, given: Mapping[str, str]) -> list[str]:
        """Required fields that are empty."""
        return [name for name in self.required if not given.get(name)]

    def published(self, given: Mapping[str, str]) -> list[str]:
        """Fields whose value anybody may know."""
        return [
            field.name
            for field in self.fields
            if given.get(field.name, "").lower() in {text.lower() for text in field.published}
        ]
