"""Returns and exchanges."""

from tests.security.street.step import STORE, Step

STEPS = (
    Step("ask back", "POST", "/api/orders/{ours[new order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=409),
    Step("ask theirs back", "POST", "/api/orders/{theirs[delivered order]}/returns",
         {"lines": [{"variantId": "{theirs[variant0]}", "quantity": 1}]}, status=404),
    Step("returns", "GET", f"{STORE}/returns"),
    Step("asked returns", "GET", f"{STORE}/returns?status=requested"),
    Step("returns of an order", "GET", "/api/orders/{ours[delivered order]}/returns"),
    Step("returns of theirs", "GET", "/api/orders/{theirs[delivered order]}/returns", status=404),
    Step("approve return", "PUT", "/api/returns/{ours[delivered return]}/approve", {}),
    Step("approve theirs", "PUT", "/api/returns/{theirs[delivered return]}/approve", {}, status=404),
    Step("reject", "PUT", "/api/returns/{ours[delivered return]}/reject", {}),
    Step("receive", "PUT", "/api/returns/{ours[shipped return]}/receive", {}),
    Step("receive theirs", "PUT", "/api/returns/{theirs[shipped return]}/receive", {}, status=404),
    Step("more than left", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 2}]}, status=422),
    Step("the rest", "POST", "/api/orders/{ours[delivered order]}/returns",
         {"lines": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=201),
)  # fmt: skip
