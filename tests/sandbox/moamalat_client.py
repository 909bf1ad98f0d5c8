"""A merchant's program that talks to the simulated gateway by the papers, without our adapter."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from eishro.sandbox.moamalat_wire import sign
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, Gateway, open_gateway
from tests.adapters.payments.vectors import KEY_A, MID, TID

FILTER = "cube/paylink.svc/api/FilterTransactions"
REFUND = "cube/paylink.svc/api/RefundTransaction"
STATUS = "cube/paylink.svc/api/CheckTxnStatus"


class Client:
    """Signs with key A, calls with ever later stamps, and has a webhook."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.simulator = gateway.simulator
        self.http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=10)
        self._calls = 0

    async def call(self, path: str, key: str = KEY_A, **fields: Any) -> httpx.Response:
        self._calls += 1
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self._calls)
        signed = {
            "DateTimeLocalTrxn": at.strftime("%Y%m%d%H%M%S"),
            "MerchantId": MID,
            "TerminalId": TID,
        }
        signed |= {name: fields.pop(name) for name in list(signed) if name in fields}
        return await self.http.post(
            path, json={**signed, "SecureHash": sign(key, signed).lower(), **fields}
        )

    async def rows(self, **fields: Any) -> list[dict[str, Any]]:
        reply = await self.call(FILTER, **{"DisplayStart": 0, "DisplayLength": 50, **fields})
        assert reply.status_code == 200
        body = reply.json()
        found = [row for day in body["Transactions"] for row in day["DateTransactions"]]
        assert body["TotalCountAllTransaction"] >= len(found)
        return found

    async def pay(self, reference: str = "ORD-1001", card: str = GOOD_CARD) -> dict[str, Any]:
        return await self.simulator.pay(parameters(MerchantReference=reference), card=card)

    async def notifications(self) -> list[dict[str, Any]]:
        await self.simulator.settle()
        return [json.loads(raw) for _, raw in self.gateway.arrived]


@contextlib.asynccontextmanager
async def open_client() -> AsyncIterator[Client]:
    """A client and its gateway, both gone at the end."""
    async with open_gateway() as gateway:
        client = Client(gateway)
        yield client
        await client.http.aclose()


def parameters(key: str = KEY_A, **changes: str) -> dict[str, str]:
    """A lightbox request as a merchant's server signs it."""
    fields = {
        "MID": MID,
        "TID": TID,
        "AmountTrxn": "25500",
        "MerchantReference": "ORD-1001",
        "TrxDateTime": "202601151030",
        **changes,
    }
    signed = {
        "Amount": fields["AmountTrxn"],
        "DateTimeLocalTrxn": fields["TrxDateTime"],
        "MerchantId": fields["MID"],
        "MerchantReference": fields["MerchantReference"],
        "TerminalId": fields["TID"],
    }
    return {"SecureHash": sign(key, signed), **fields}
