"""Where goods go and what it costs: districts, delivery rates for buyers, zones for merchants."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.shipping import rates, zones_sql
from eishro.domain.shipping.cities import DISTRICTS, Region
from eishro.domain.shipping.rates import DeliveryOption
from eishro.domain.shipping.zones import (
    DAYS_MAX,
    METHODS,
    PLACES_MAX,
    WEIGHT_GRAMS_MAX,
    WEIGHT_STEPS_MAX,
    Method,
    PerKilogram,
    Rate,
    WeightStep,
    Zone,
)
from eishro.domain.stores import sql as stores
from eishro.flows import edit_zones
from eishro.flows.edit_zones import ZoneChange
from eishro.flows.price_list import delivery_plan
from eishro.trace import Step
from eishro.web.products import PriceText, dirhams_of
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import PageQuery, refuse_stale
from eishro.web.wire import CityName, Dinars, Name, PlaceName, dinars, optional_dinars

Grams = Annotated[int, Meta(ge=0, le=WEIGHT_GRAMS_MAX)]
Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
Position = Annotated[int, Meta(ge=0, le=10_000)]


class DistrictView(msgspec.Struct, frozen=True, rename="camel"):
    """A district in both languages; `seat` is the code of its main city."""

    code: str
    name_ar: str
    name_en: str
    seat: str
    region: Region


class WeightStepBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Parcels up to so many grams cost so much extra."""

    up_to_grams: Annotated[int, Meta(ge=1, le=WEIGHT_GRAMS_MAX)]
    extra: Dinars


class PerKilogramBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Each started kilogram above a weight costs so much extra."""

    above_grams: Grams
    extra: Dinars


class RateBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What one method costs."""

    method: Method
    rate: Dinars
    free_above: Dinars | None = None
    weight_steps: Annotated[list[WeightStepBody], Meta(max_length=WEIGHT_STEPS_MAX)] = []
    per_kilogram: PerKilogramBody | None = None
    cod_fee: Dinars | UnsetType = UNSET
    cod_allowed: bool = True
    days_min: Days | None = None
    days_max: Days | None = None

    def value(self) -> Rate:
        """As the zone keeps it."""
        return Rate(
            method=self.method,
            dirhams=self.rate.dirhams,
            free_above_dirhams=self.free_above.dirhams if self.free_above else None,
            weight_steps=tuple(
                WeightStep(step.up_to_grams, step.extra.dirhams) for step in self.weight_steps
            ),
            per_kilogram=(
                PerKilogram(self.per_kilogram.above_grams, self.per_kilogram.extra.dirhams)
                if self.per_kilogram
                else None
            ),
            cod_fee_dirhams=self.cod_fee.dirhams if self.cod_fee else 0,
            is_cod_allowed=self.cod_allowed,
            days_min=self.days_min,
            days_max=self.days_max,
        )


Places = Annotated[list[PlaceName], Meta(min_length=1, max_length=PLACES_MAX)]
Rates = Annotated[list[RateBody], Meta(max_length=len(METHODS))]


class ZoneBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new zone. Without rates nothing is delivered to its places."""

    name: Name
    places: Places
    rates: Rates
    name_en: Name | None = None
    is_active: bool = True
    position: Position | UnsetType = UNSET


class ZoneChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    places: Places | UnsetType = UNSET
    rates: Rates | UnsetType = UNSET
    name_en: Name | None | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class WeightStepView(msgspec.Struct, frozen=True, rename="camel"):
    """A weight step in an answer."""

    up_to_grams: int
    extra: Decimal


class PerKilogramView(msgspec.Struct, frozen=True, rename="camel"):
    """A price of kilograms in an answer."""

    above_grams: int
    extra: Decimal


class RateView(msgspec.Struct, frozen=True, rename="camel"):
    """A rate in an answer; it can be sent back as it is."""

    method: Method
    rate: Decimal
    free_above: Decimal | None
    weight_steps: list[WeightStepView]
    per_kilogram: PerKilogramView | None
    cod_fee: Decimal
    cod_allowed: bool
    days_min: int | None
    days_max: int | None


class ZoneView(msgspec.Struct, frozen=True, rename="camel"):
    """A zone in an answer; places are codes."""

    id: str
    name: str
    name_en: str | None
    places: list[str]
    rates: list[RateView]
    is_active: bool
    position: int
    created_at: datetime
    updated_at: datetime


class StepView(msgspec.Struct, frozen=True, rename="camel"):
    """Why: one step of an amount in dinars; negative takes away."""

    amount: str
    reason: str
    value: Decimal
    facts: dict[str, int | str]


class OptionView(msgspec.Struct, frozen=True, rename="camel"):
    """A delivery method for a city: its price and why, and how long it takes."""

    method: Method
    price: Decimal
    currency: str
    zone_id: str | None
    zone_name: str | None
    zone_name_en: str | None
    free_above: Decimal | None
    cod_allowed: bool
    days_min: int | None
    days_max: int | None
    pickup_address: str | None
    reasons: list[StepView]


class RatesQuery(msgspec.Struct, frozen=True, rename="camel"):
    """For which parcel: the goods' weight and price, and whether it is paid in cash."""

    city: CityName
    weight_grams: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    subtotal: PriceText | None = None
    cod: bool = False


async def list_districts(_: Call) -> Reply:
    """The districts of Libya in both languages."""
    return Reply([DistrictView(*msgspec.structs.astuple(district)) for district in DISTRICTS])


async def list_rates(call: Call, query: RatesQuery) -> Reply:
    """The ways the store delivers to a city; an empty list: it does not."""
    db = call.shop.db
    store = await stores.get_store(db, call.store)
    plan = delivery_plan(store.settings_value(), await zones_sql.list_zones(db, call.store))
    found = rates.options(
        plan,
        query.city.code,
        goods_dirhams=dirhams_of(query.subtotal) or 0,
        weight_grams=query.weight_grams,
        is_cod=query.cod,
    )
    return Reply([_option_view(option) for option in found])


async def list_zones(call: Call, query: PageQuery) -> Reply:
    """The store's zones by position."""
    zones = await zones_sql.list_zones(call.shop.db, call.store)
    first = (query.page - 1) * query.limit
    shown = [zone_view(zone) for zone in zones[first : first + query.limit]]
    return Reply(shown, page=Page(query.page, query.limit, len(zones)))


async def read_zone(call: Call) -> Reply:
    """One zone."""
    found = await zones_sql.get_zone(call.shop.db, call.store, call.params["zone_id"])
    return Reply(zone_view(found))


async def create_zone(call: Call, body: ZoneBody) -> Reply:
    """A new zone."""

    def view(zone: Zone) -> Reply:
        return Reply(zone_view(zone), status=201)

    once = call.once(view)
    change = ZoneChange(
        name=body.name.strip(),
        name_en=body.name_en,
        places=tuple(each.place for each in body.places),
        rates=tuple(each.value() for each in body.rates),
        is_active=body.is_active,
        position=body.position,
    )
    return once.reply(await edit_zones.create_zone(call.shop, call.store, change, call.actor, once))


async def update_zone(call: Call, body: ZoneChangeBody) -> Reply:
    """Change members of a zone."""

    def check(seen: Zone) -> None:
        refuse_stale(call, zone_view(seen))

    change = ZoneChange(
        name=body.name.strip() if body.name else UNSET,
        name_en=body.name_en,
        places=UNSET if body.places is UNSET else tuple(each.place for each in body.places),
        rates=UNSET if body.rates is UNSET else tuple(each.value() for each in body.rates),
        is_active=body.is_active,
        position=body.position,
    )
    zone = await edit_zones.update_zone(
        call.shop, call.store, call.params["zone_id"], change, call.actor, check
    )
    return Reply(zone_view(zone))


async def delete_zone(call: Call) -> Reply:
    """Remove a zone; orders keep what they cost."""
    zone = await edit_zones.delete_zone(call.shop, call.store, call.params["zone_id"], call.actor)
    return Reply(zone_view(zone))


def zone_view(zone: Zone) -> ZoneView:
    """The zone as the API shows it."""
    return ZoneView(
        id=zone.id,
        name=zone.name,
        name_en=zone.name_en,
        places=list(zone.places),
        rates=[_rate_view(rate) for rate in zone.rates],
        is_active=zone.is_active,
        position=zone.position,
        created_at=zone.created_at,
        updated_at=zone.updated_at,
    )


def _rate_view(rate: Rate) -> RateView:
    heavy = rate.per_kilogram
    return RateView(
        method=rate.method,
        rate=dinars(rate.dirhams),
        free_above=optional_dinars(rate.free_above_dirhams),
        weight_steps=[
            WeightStepView(step.up_to_grams, dinars(step.dirhams)) for step in rate.weight_steps
        ],
        per_kilogram=PerKilogramView(heavy.above_grams, dinars(heavy.dirhams)) if heavy else None,
        cod_fee=dinars(rate.cod_fee_dirhams),
        cod_allowed=rate.is_cod_allowed,
        days_min=rate.days_min,
        days_max=rate.days_max,
    )


def _option_view(option: DeliveryOption) -> OptionView:
    charge = option.charge
    return OptionView(
        method=charge.method,
        price=dinars(charge.dirhams),
        currency="LYD",
        zone_id=charge.zone_id,
        zone_name=option.zone_name,
        zone_name_en=option.zone_name_en,
        free_above=optional_dinars(option.free_above_dirhams),
        cod_allowed=option.is_cod_allowed,
        days_min=option.days_min,
        days_max=option.days_max,
        pickup_address=option.pickup_address,
        reasons=[step_view(step) for step in charge.steps],
    )


def step_view(step: Step) -> StepView:
    """A step of a calculation as the API shows it."""
    return StepView(step.amount, step.reason, dinars(step.dirhams), step.facts)
