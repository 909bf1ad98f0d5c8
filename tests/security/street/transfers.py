"""Bank transfers, what is shown of them, and statements."""

from typing import Any

from tests.security.street.step import MARK, STORE, Step
from tests.shops import order_body
from tests.transferring import IBAN

# A reference of the right form that nobody has, so that it is looked for.
_STATEMENT = "reference,description,credit\nR1,333333333 "


async def take_transfers(things: dict[str, Any], send: Any, who: Any, mark: str) -> None:
    """Transfers that were shown, and a statement."""
    at = f"/api/stores/{things['store']}"
    account = {"beneficiary": MARK if mark else "x", "bank": "wb", "iban": IBAN}
    await send("PUT", at, {"settings": {"transferAccount": account}}, who)
    for number in range(2 if mark else 1):
        body = order_body(things["product0"], 1, things["variant0"], method="bank_transfer")
        body["customer"]["name"] += mark
        for name in ("transfer", "other transfer"):
            order = (await send("POST", f"{at}/orders", body, {}))["id"]
            paying = f"/api/orders/{order}/payments"
            made = await send("POST", paying, {"method": "bank_transfer"}, who)
            things[name] = made["id"]
            things["reference"] = made["action"]["details"]["reference"]
            await prove(send, things[name], mark)
        shown = await send("GET", f"{at}/transfers?limit=1", None, who)
        things["proof"] = shown[0]["proofs"][0]["id"]
        files = {"file": ("s.csv", f"{_STATEMENT}x{number or ''}{mark},1\n".encode())}
        things["statement"] = (await send("FILE", f"{at}/statements", (files, {}), who))["id"]


async def prove(send: Any, payment: str, mark: str) -> None:
    """The payer shows a transfer, without a picture."""
    fields = {
        "senderName": f"x{mark}",
        "bank": f"x{mark}",
        "date": "2026-01-15",
        "bankReference": f"B{mark}",
    }
    parts = {name: (None, text) for name, text in fields.items()}
    await send("FILE", f"/api/payments/{payment}/proof", (parts, {}), {})


STEPS = (
    Step("transfers", "GET", f"{STORE}/transfers"),
    Step("every transfer", "GET", f"{STORE}/transfers?show=all"),
    Step("no picture", "GET", f"{STORE}/proofs/{{ours[proof]}}/image", status=404),
    Step("their picture", "GET", f"{STORE}/proofs/{{theirs[proof]}}/image", status=404),
    Step("verify", "POST", f"{STORE}/payments/{{ours[transfer]}}/verify",
         {"amount": 35.5, "bankReference": "V1"}),
    Step("verify theirs", "POST", f"{STORE}/payments/{{theirs[transfer]}}/verify",
         {"amount": 35.5, "bankReference": "V1"}, status=404),
    Step("reject transfer", "POST", f"{STORE}/payments/{{ours[transfer]}}/reject", {"reason": "none came"}),
    Step("payments to look at", "GET", f"{STORE}/payments/review"),
    Step("looked at", "POST", f"{STORE}/payments/{{ours[paid]}}/settle",
         {"outcome": "noted", "note": "seen"}),
    Step("import a statement", "POST", f"{STORE}/statements", {},
         file=f"{_STATEMENT}salary,1\n", status=201),
    Step("import it again", "POST", f"{STORE}/statements", {}, file=f"{_STATEMENT}x,1\n",
         status=201),
    Step("statement of theirs", "POST", f"{STORE}/statements", {},
         file="reference,description,credit\nR9,{theirs[reference]},35.5\n", status=201),
    Step("statements", "GET", f"{STORE}/statements"),
    Step("bank statement", "GET", f"{STORE}/statements/{{ours[statement]}}"),
    Step("their statement", "GET", f"{STORE}/statements/{{theirs[statement]}}", status=404),
    Step("choose cash", "POST", "/api/orders/{ours[pending order]}/payments", {"method": "cod"},
         status=201),
)  # fmt: skip
