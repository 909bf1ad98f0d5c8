"""A store's people and its keys."""

from tests.security.street.step import STORE, Step

STEPS = (
    Step("staff", "GET", f"{STORE}/staff"),
    Step("invite", "POST", f"{STORE}/staff", {"email": "new@example.ly", "role": "viewer"},
         status=201),
    Step("promote", "PUT", f"{STORE}/staff/{{ours[both]}}", {"role": "catalog"}),
    Step("dismiss", "DELETE", f"{STORE}/staff/{{ours[both]}}"),
    Step("take invitation back", "DELETE", f"{STORE}/invitations/{{ours[invitation]}}"),
    Step("take theirs back", "DELETE", f"{STORE}/invitations/{{theirs[invitation]}}", status=404),
    Step("keys", "GET", f"{STORE}/api-keys"),
    Step("new key", "POST", f"{STORE}/api-keys", {"name": "x", "scopes": ["orders:read"]},
         status=201),
    Step("revoke", "DELETE", f"{STORE}/api-keys/{{ours[key]}}"),
    Step("revoke theirs", "DELETE", f"{STORE}/api-keys/{{theirs[key]}}", status=404),
)  # fmt: skip
