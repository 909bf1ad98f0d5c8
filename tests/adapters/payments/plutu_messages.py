"""Plutu's messages as the papers show them, and an account whose gateway says what a test wants.

P1 to P4 are fixtures of the vendor's SDK, P5 stands in a test of somebody else's; the others were
computed with a key made up for it.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from eishro.adapters.payments.plutu import Config, Plutu
from eishro.adapters.payments.plutu_reading import callback_hash
from eishro.clock import ManualClock
from eishro.domain.payments.port import Intent, Payer
from eishro.outward import HttpReply, NoReply

KEY = "sk_test_0000000000000000000000000000000000000000"
_SDK_TLYNC = "sk_40a07a6c0e63818dc2b292c8e302894e08acedfb"
PHONE = "+218913632323"


class Vector(NamedTuple):
    """A signed text and its hash."""

    name: str
    key: str
    text: str
    hash: str


VECTORS = (
    Vector(
        "P1 cards, SDK",
        "sk_ac63978fe4bc6defb55045fe84492021d1e87555",
        "gateway=localbankcards&approved=1&invoice_no=14022023&amount=5.00&transaction_id=100900",
        "79CA9C64A7DF0BB5E634CFA67A90219F5A6C7197265B8732CC5372EF519F761F",
    ),
    Vector(
        "P2 dollars, SDK",
        "sk_caf8cdd67e554180100dbee62d57dd12eb57acbd",
        "gateway=mpgs&approved=1&amount=5.00&currency=USD&invoice_no=232323&transaction_id=100918",
        "046F9997A41F83CA7414EE0412D8DD2C22EB5168AC4324BA82C5E4BBCEF0C880",
    ),
    Vector(
        "P3 tlync, SDK",
        _SDK_TLYNC,
        "gateway=tlync&approved=1&amount=6.01&invoice_no=43321&payment_method=mobicash"
        "&transaction_id=100932",
        "1DDC1EE6D589555B58D70CAAB5118D1BECC5DF1BED1E0EFA5B51AED7E6C69FD6",
    ),
    Vector(
        "P4 tlync return, SDK",
        _SDK_TLYNC,
        "approved=1&invoice_no=43321",
        "E6E3486C137F4260C2C598C7A903836CDDBC1FAF87240A58660FA91F363D5DBA",
    ),
    Vector(
        "P5 somebody else's",
        "mySecretKey",
        "amount=10.00&currency=LYD&transaction_id=12345",
        "DA57B229A482033D5CD877240D50C892EC0BB490B66981AE7FC2AB2310D55A50",
    ),
    Vector(
        "P6 approved",
        KEY,
        "gateway=localbankcards&approved=1&invoice_no=ORD-1001&amount=25.50&transaction_id=700002",
        "6120853FBE969F47F58F7881EDBF5EBDCB8E6B61B84627CEB9F07080F53DFBC2",
    ),
    Vector(
        "P7 cancelled",
        KEY,
        "gateway=localbankcards&canceled=1&invoice_no=ORD-1001&amount=25.50&transaction_id=700001",
        "71244B0B618065813CA5F54BEF745E75658338FFB0FDD50F60470ACAB4363406",
    ),
    Vector(
        "P8 tlync",
        KEY,
        "gateway=tlync&approved=1&amount=25.50&invoice_no=ORD-1001&payment_method=tadawul"
        "&transaction_id=700003",
        "289F2244D789E9E641D4EBDD09405428D45B77CD4FF26B32779483AF4A51C7E3",
    ),
    Vector(
        "P9 tlync return",
        KEY,
        "approved=1&invoice_no=ORD-1001",
        "17902850B78B38920B7019C3D7F69BDD86E44EF5CA8A52420B596A08279F6B12",
    ),
    Vector(
        "P10 encoding",
        KEY,
        "approved=1&invoice_no=inv+12%2F3",
        "0230DD8210819A620037C63681D3021E6F96F8250B6FFE137C39722D6C842FB3",
    ),
)
BY_NAME = {vector.name.split()[0]: vector for vector in VECTORS}


def fields_of(vector: Vector) -> dict[str, str]:
    """The callback's fields in their order, with the hash."""
    return {**dict(pair.split("=") for pair in vector.text.split("&")), "hashed": vector.hash}


def signed(fields: Mapping[str, str], key: str = KEY) -> dict[str, str]:
    """These fields, hashed in this order."""
    return {**fields, "hashed": callback_hash(key.encode(), list(fields.items()))}


class Scripted:
    """A `WebHttp` that answers what it is told to, in turn, the last for ever; it keeps what was
    sent.
    """

    def __init__(self, *replies: HttpReply | NoReply) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []

    async def post_form(self, url: str, form: Mapping[str, str], **more: Any) -> HttpReply:
        self.sent.append((url, dict(form)))
        self.headers.append(dict(more["headers"]))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, NoReply):
            raise reply
        return reply

    async def post_json(self, *_: Any, **__: Any) -> HttpReply:
        raise AssertionError("Plutu is sent forms and nothing else")

    async def get(self, *_: Any, **__: Any) -> HttpReply:
        raise AssertionError("Plutu is sent forms and nothing else")

    async def send(self, *_: Any, **__: Any) -> HttpReply:
        raise AssertionError("Plutu is sent forms and nothing else")


def reply(body: object, status: int = 200) -> HttpReply:
    """An answer in JSON, or the bytes as they are."""
    return HttpReply(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def error(code: str, status: int = 400, **more: object) -> HttpReply:
    """A refusal in the vendor's form."""
    told = {"status": status, "code": code, "message": f"about 0913632323: {code}", **more}
    return reply({"error": told}, status)


VERIFIED = reply(
    {"status": 200, "result": {"process_id": 1654864354123, "amount": 25.5}, "message": "OTP sent"}
)
CONFIRMED = reply(
    {"status": 200, "result": {"transaction_id": 100900, "amount": "25.50"}, "message": "Done"}
)
REDIRECT = reply(
    {
        "status": 200,
        "result": {"code": "CHECKOUT_REDIRECT", "redirect_url": "https://plutu.example/pay/1"},
    }
)


def account(
    *replies: HttpReply | NoReply, clock: ManualClock | None = None, **changes: Any
) -> tuple[Plutu, Scripted]:
    """An adapter, and the gateway it talks to."""
    http = Scripted(*replies or (reply({}),))
    config = Config(
        access_token="a-token-that-nobody-may-see",
        api_key="an-api-key-that-nobody-may-see",
        secret_key=KEY,
        base_url="https://plutu.example/api/v1/",
    )
    changed = msgspec.structs.replace(config, **changes)
    return Plutu(changed, http, clock or ManualClock()), http


def intent(method: str = "plutu_cards", **changes: Any) -> Intent:
    """An attempt at 25.500 dinars (5.26 dollars)."""
    is_dollars = method == "plutu_mpgs"
    usual = Intent(
        reference="ORD-1001",
        amount_dirhams=25_500,
        created_at=datetime(2026, 1, 15, 8, 30, tzinfo=UTC),
        method=method,
        currency="USD" if is_dollars else "LYD",
        wire_minor=526 if is_dollars else None,
        return_url="https://shop.example/api/payments/ORD-1001/return",
        notify_url="https://shop.example/api/webhooks/payments/plutu",
        payer=Payer(phone=PHONE, birth_year=1991),
    )
    return msgspec.structs.replace(usual, **changes)


def coded(method: str = "plutu_sadad", code_try: int = 1) -> Intent:
    """An attempt whose code was sent."""
    session = {"process_id": "1654864354123", "mobile_number": "0913632323"}
    if method == "plutu_sadad":
        session["birth_year"] = "1991"
    return intent(method, session=session, code_try=code_try)
