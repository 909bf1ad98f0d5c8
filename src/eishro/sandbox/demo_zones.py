"""How the demo stores deliver: around the corner, over their own coast, to the others, far south.

Fees are like those that couriers in Libya asked for in 2025 and 2026: 10 to 20 dinars within a
city, 20 to 30 along its coast, 30 to 50 to the other one, 35 to 60 to the south.
"""

from eishro.domain.shipping.cities import CITIES, DISTRICTS
from eishro.domain.shipping.zones import PerKilogram, Rate, WeightStep
from eishro.flows.edit_zones import ZoneChange
from eishro.sandbox.demo_model import DemoStore, Picture

# Packed for the courier, by what is drawn; what is not here fits in a letter.
WEIGHT_GRAMS: dict[Picture, int] = {
    "abaya": 700, "bag": 900, "dress": 600, "jacket": 1_200, "sneaker": 1_100, "trousers": 600,
    "shirt": 300, "tshirt": 250, "watch": 300, "camera": 900, "headphones": 400, "keyboard": 900,
    "laptop": 2_600, "phone": 500, "powerbank": 450, "router": 700, "screen": 6_500,
    "speaker": 1_400, "tablet": 800, "palette": 300, "perfume": 400, "pump": 500, "jar": 250,
}  # fmt: skip
_SEATS = {"west": "tripoli", "east": "benghazi"}
_COAST_DIRHAMS = 25_000
_SEAT_DIRHAMS = 35_000  # of the other coast
_FAR_DIRHAMS = 45_000
_SOUTH_DIRHAMS = 50_000
_HEAVY = (WeightStep(5_000, 0), WeightStep(10_000, 5_000))
_HEAVIER = PerKilogram(10_000, 1_000)


def zones_of(demo: DemoStore) -> tuple[ZoneChange, ...]:
    """The zones of a demo store: its own district, its coast, the other one, the south."""
    home = next(city for city in CITIES if city.code == demo.city)
    district = next(each for each in DISTRICTS if each.code == home.district)
    other = "east" if district.region == "west" else "west"
    free = demo.free_shipping_above_dirhams
    near = demo.shipping_rate_dirhams
    # Nobody pays less for the coast than for the corner.
    coast = max(_COAST_DIRHAMS, near + 5_000)
    express = Rate(
        method="express", dirhams=near + 10_000, cod_fee_dirhams=1_000, days_min=0, days_max=1
    )
    coasts = {
        "west": ("المنطقة الغربية", "The west"), "east": ("المنطقة الشرقية", "The east")
    }  # fmt: skip
    seats = {"west": ("طرابلس وضواحيها", "Tripoli"), "east": ("بنغازي وضواحيها", "Benghazi")}
    zones = [
        (
            (district.name_ar, district.name_en), district.code,
            (_standard(near, (1, 2), free_above=free), express),
        ),
        (coasts[district.region], district.region, (_standard(coast, (1, 3), free_above=free),)),
        (
            seats[other], _district_of(_SEATS[other]),
            (_standard(_SEAT_DIRHAMS, (2, 4), fee=1_000, free_above=free),),
        ),
        (coasts[other], other, (_standard(_FAR_DIRHAMS, (3, 5), fee=1_000, free_above=free),)),
        (
            ("المنطقة الجنوبية", "The south"), "south",
            (_standard(_SOUTH_DIRHAMS, (3, 7), fee=2_000),),
        ),
    ]  # fmt: skip
    return tuple(
        ZoneChange(name=names[0], name_en=names[1], places=(place,), rates=rates, position=position)
        for position, (names, place, rates) in enumerate(zones)
    )


def _district_of(city_code: str) -> str:
    return next(city.district for city in CITIES if city.code == city_code)


def _standard(
    dirhams: int, days: tuple[int, int], *, fee: int = 0, free_above: int | None = None
) -> Rate:
    return Rate(
        method="standard",
        dirhams=dirhams,
        free_above_dirhams=free_above,
        weight_steps=_HEAVY,
        per_kilogram=_HEAVIER,
        cod_fee_dirhams=fee,
        days_min=days[0],
        days_max=days[1],
    )
