"""Parcels and their cash."""

from datetime import timedelta
from typing import Any

from tests.security.street.step import MARK, STORE, Step
from tests.shops import order_body

# A courier's file that names our parcels, the neighbour's and nobody's; the amounts are right for
# the first only.
_REMITTANCE = (
    "رقم الشحنة,المبلغ,العمولة\n"
    "OURS-1,35.500,5\nOURS-2,30,5\nTHEIRS-1,35.500,5\nTHEIRS-2,35.500,5\nOURS-9,1,0\n"
)


async def ship(send: Any, side: str, things: dict[str, Any], who: dict[str, str]) -> None:
    """Parcels on their way: one new, two whose cash was collected, one in dispute."""
    mark = "" if side == "ours" else f" {MARK}"
    at = f"/api/stores/{things['store']}"
    # A file that came before its parcels: sent again, it fits.
    carrier = "amyal" if side == "ours" else f"amyal-{MARK}"
    body = order_body(things["product0"], 1, things["variant0"], method="cod")
    total = (await send("POST", f"{at}/quote", body, {}))["total"]
    for amount in (total,) if side == "ours" else (total, 1, 2):
        files = {"file": ("a.csv", f"tracking,amount\n{side}-1,{amount}\n".encode())}
        made = await send("FILE", f"{at}/cod/remittances", (files, {"carrier": carrier}), who)
        things["remittance"] = made["id"]
    for number in range(4 if side == "ours" else 6):
        body = order_body(things["product0"], 1, things["variant0"], method="cod")
        body["customer"]["name"] += mark
        order = f"/api/orders/{(await send('POST', f'{at}/orders', body, {}))['id']}"
        await send("PUT", f"{order}/status", {"status": "confirmed"}, who)
        parcel = {"carrier": "amyal", "trackingNumber": f"{side}-{number}", "note": f"x{mark}"}
        made = await send("POST", f"{order}/shipments", parcel, who)
        things[f"shipment{number}"] = made["id"]
        things[f"shipped{number}"] = made["orderId"]
        if number in (1, 2, 4):
            await send("POST", f"{order}/cod/collect", {"amount": total}, who)
        if number in (3, 5):
            made = await send("POST", f"{order}/cod/collect", {"amount": 5}, who)
            things["case"] = made["case"]["id"]


STEPS = (
    Step("part", "POST", "/api/orders/{ours[processing order]}/shipments",
         {"carrier": "x", "trackingNumber": "THEIRS-0",
          "lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=201),
    Step("parcels", "GET", "/api/orders/{ours[shipped0]}/shipments"),
    Step("parcel", "GET", "/api/shipments/{ours[shipment0]}"),
    Step("their parcel", "GET", "/api/shipments/{theirs[shipment0]}", status=404),
    Step("parcel arrives", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "delivered"}),
    Step("parcel stays", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "cancelled"}),
    Step("parcel comes back", "PUT", "/api/shipments/{ours[shipment0]}", {"status": "returned"}),
    Step("their parcel moves", "PUT", "/api/shipments/{theirs[shipment0]}",
         {"status": "delivered"}, status=404),
    Step("collect", "POST", "/api/orders/{ours[shipped0]}/cod/collect", {"amount": 35.5}),
    Step("collect less", "POST", "/api/orders/{ours[shipped0]}/cod/collect", {"amount": 5}),
    Step("collect theirs", "POST", "/api/orders/{theirs[shipped0]}/cod/collect",
         {"amount": 35.5}, status=404),
    Step("cash", "GET", f"{STORE}/cod", who="ours key", later=timedelta(days=9)),
    Step("cases", "GET", f"{STORE}/cod/cases"),
    Step("open cases", "GET", f"{STORE}/cod/cases?state=open"),
    Step("accept", "POST", f"{STORE}/cod/cases/{{ours[case]}}/resolve",
         {"resolution": "accept"}),
    Step("accept theirs", "POST", f"{STORE}/cod/cases/{{theirs[case]}}/resolve",
         {"resolution": "accept"}, status=404),
    Step("remit", "POST", f"{STORE}/cod/remittances", {"carrier": "amyal"}, file=_REMITTANCE,
         status=201),
    Step("remit again", "POST", f"{STORE}/cod/remittances", {"carrier": "amyal"},
         file="tracking,amount\nours-1,35.5\n", status=201),
    Step("remit rows", "POST", f"{STORE}/cod/remittances/rows",
         {"carrier": "amyal",
          "rows": [{"trackingNumber": "OURS-1", "amount": 35.5},
                   {"trackingNumber": "THEIRS-1", "amount": 35.5}]}, status=201),
    Step("remittances", "GET", f"{STORE}/cod/remittances"),
    Step("remittance", "GET", f"{STORE}/cod/remittances/{{ours[remittance]}}"),
    Step("their remittance", "GET", f"{STORE}/cod/remittances/{{theirs[remittance]}}", status=404),
)  # fmt: skip
