"""Drafts, notes and edits of orders."""

from tests.security.street.step import STORE, Step

STEPS = (
    Step("drafts of orders", "GET", f"{STORE}/drafts"),
    Step("draft", "GET", f"{STORE}/drafts/{{ours[draft]}}"),
    Step("their draft", "GET", f"{STORE}/drafts/{{theirs[draft]}}", status=404),
    Step("new draft", "POST", f"{STORE}/drafts", {"note": "x"}, status=201),
    Step("change draft", "PUT", f"{STORE}/drafts/{{ours[draft]}}", {"note": "x"}),
    Step("change their draft", "PUT", f"{STORE}/drafts/{{theirs[draft]}}", {"note": "x"},
         status=404),
    Step("no draft", "DELETE", f"{STORE}/drafts/{{ours[draft]}}"),
    Step("not their draft", "DELETE", f"{STORE}/drafts/{{theirs[draft]}}", status=404),
    Step("place draft", "POST", f"{STORE}/drafts/{{ours[draft]}}/place", status=201),
    Step("place their draft", "POST", f"{STORE}/drafts/{{theirs[draft]}}/place", status=404),
    Step("notes", "GET", "/api/orders/{ours[new order]}/notes"),
    Step("note", "POST", "/api/orders/{ours[new order]}/notes", {"text": "x"}, status=201),
    Step("their notes", "GET", "/api/orders/{theirs[new order]}/notes", status=404),
    Step("edit", "PUT", "/api/orders/{ours[new order]}/items",
         {"items": [{"variantId": "{ours[variant1]}", "quantity": 3}]}),
    Step("edit to theirs", "PUT", "/api/orders/{ours[new order]}/items",
         {"items": [{"variantId": "{theirs[variant0]}", "quantity": 1}]}, status=422),
    Step("edit theirs", "PUT", "/api/orders/{theirs[new order]}/items",
         {"items": [{"variantId": "{ours[variant0]}", "quantity": 1}]}, status=404),
    Step("move order", "PUT", "/api/orders/{ours[new order]}/address",
         {"shipping": {"city": "بنغازي", "address": "شارع جمال"}}),
)  # fmt: skip
