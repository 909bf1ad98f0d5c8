"""Messages of Moamalat as its gateway would sign them, and a provider that reads them."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from eishro.adapters.payments.moamalat import Config, Moamalat, secure_hash
from eishro.clock import ManualClock
from eishro.domain.payments.port import Claim, Intent
from eishro.outward import HttpReply
from tests.adapters.payments.vectors import KEY_A, MID, TID
from tests.stamps import MemoryStamps


class Silence:
    """An `Http` that must not be used."""

    async def post_json(self, url: str, body: object, **_: Any) -> HttpReply:
        raise AssertionError("nothing is asked here")


def config(**changes: Any) -> Config:
    usual = Config(
        merchant_id=MID,
        terminal_id=TID,
        secret_key=KEY_A,
        notification_key=KEY_A,
        base_url="http://127.0.0.1:9/",
        lightbox_url="http://127.0.0.1:9/js/lightbox.js",
    )
    return msgspec.structs.replace(usual, **changes)


def provider(**changes: Any) -> Moamalat:
    return Moamalat(config(**changes), Silence(), MemoryStamps(), ManualClock())


def intent(**changes: Any) -> Intent:
    usual = Intent(
        reference="ORD-1001",
        amount_dirhams=25_500,
        created_at=datetime(2026, 1, 15, 8, 30, 59, tzinfo=UTC),
    )
    return msgspec.structs.replace(usual, **changes)


def signed(fields: dict[str, Any], names: tuple[str, ...], **more: str) -> dict[str, Any]:
    text = {name: str(fields[name]) for name in names} | more
    return {**fields, "SecureHash": secure_hash(bytes.fromhex(KEY_A), text)}


def completion(**changes: Any) -> dict[str, Any]:
    fields = {
        "TxnDate": "260115103145",
        "SystemReference": "1233674",
        "NetworkReference": "601510434990",
        "MerchantReference": "ORD-1001",
        "Amount": "25500",
        "Currency": "434",
        "PaidThrough": "Card",
        "PayerAccount": "639499XXXXXX0781",
        "PayerName": "A NAME",
        "ProviderSchemeName": "",
        **changes,
    }
    names = ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
    return signed(fields, names, MerchantId=MID, TerminalId=TID)


def notification(**changes: Any) -> dict[str, Any]:
    fields = {
        "MerchantId": MID,
        "TerminalId": TID,
        "DateTimeLocalTrxn": "20260115103145",
        "AuthorizationDateTime": "20260115103146",
        "TxnType": 1,
        "Message": "Approved",
        "PaidThrough": "Card",
        "SystemReference": "1233674",
        "NetworkReference": "601510434990",
        "MerchantReference": "ORD-1001",
        "Amount": "25500",
        "Currency": "434",
        "PayerAccount": "639499XXXXXX0781",
        "PayerName": "A NAME",
        "ActionCode": "00",
        "Status": "Success",
        "OriginalTxnId": "0",
        "Token": None,
        "Email": "payer@example.ly",
        **changes,
    }
    names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
    return signed(fields, names)


def told(fields: dict[str, Any] | bytes, **changes: Any) -> Claim:
    raw = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return provider(**changes).parse_webhook({"content-type": "application/json"}, raw)
