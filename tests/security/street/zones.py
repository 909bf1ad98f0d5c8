"""Where a store delivers."""

from typing import Any

from tests.security.street.step import MARK, STORE, Step


def zone(side: str, places: list[str]) -> dict[str, Any]:
    mark, rate = ("", 10) if side == "ours" else (f" {MARK}", 12)
    return {
        "name": f"كل البلاد{mark}",
        "places": places,
        "rates": [{"method": "standard", "rate": rate}],
    }


STEPS = (
    Step("zones", "GET", f"{STORE}/shipping-zones"),
    Step("zone", "GET", f"{STORE}/shipping-zones/{{ours[zone]}}"),
    Step("their zone", "GET", f"{STORE}/shipping-zones/{{theirs[zone]}}", status=404),
    # What the neighbour has given to one of its zones is free here.
    Step("new zone", "POST", f"{STORE}/shipping-zones", zone("ours", ["misrata"]), status=201),
    Step("change zone", "PUT", f"{STORE}/shipping-zones/{{ours[zone]}}", {"name": "اسم"}),
    Step("change their zone", "PUT", f"{STORE}/shipping-zones/{{theirs[zone]}}", {"name": "x"},
         status=404),
    Step("no zone", "DELETE", f"{STORE}/shipping-zones/{{ours[zone]}}"),
    Step("not their zone", "DELETE", f"{STORE}/shipping-zones/{{theirs[zone]}}", status=404),
    Step("rates", "GET", f"{STORE}/shipping-rates?city=misrata", who="guest"),
)  # fmt: skip
