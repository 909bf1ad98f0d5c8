"""The store itself: its front, categories, and what it may be paid with."""

from tests.security.street.step import STORE, Step

STEPS = (
    # Somebody of both stores first: a membership is where a mix-up shows soonest.
    Step("a viewer reads", "GET", f"{STORE}/orders", who="both"),
    Step("a viewer writes", "PUT", STORE, {"description": "x"}, who="both", status=403),
    Step("a key reads", "GET", f"{STORE}/orders", who="ours key"),
    Step("store", "GET", STORE),
    Step("change store", "PUT", STORE, {"description": "x"}),
    Step("close store", "DELETE", STORE),
    Step("suspend", "PUT", "/api/admin/stores/{ours[store]}/suspend", {"reason": "a test"}, who="admin"),
    Step("categories", "GET", f"{STORE}/categories"),
    Step("new category", "POST", f"{STORE}/categories", {"name": "جديد"}, status=201),
    Step("rename category", "PUT", f"{STORE}/categories/{{ours[category]}}", {"name": "اسم"}),
    Step(
        "rename theirs", "PUT", f"{STORE}/categories/{{theirs[category]}}", {"name": "x"},
        status=404,
    ),
    Step("no category", "DELETE", f"{STORE}/categories/{{ours[category]}}"),
    Step("no spare", "DELETE", f"{STORE}/categories/{{ours[spare]}}"),
    Step("not theirs", "DELETE", f"{STORE}/categories/{{theirs[category]}}", status=404),
    Step("below theirs", "POST", f"{STORE}/categories",
         {"name": "x", "parentId": "{theirs[category]}"}, status=422),
    Step("methods", "GET", f"{STORE}/payment-methods"),
)  # fmt: skip
