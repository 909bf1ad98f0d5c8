"""`python -m bench.gateway PORT`: the gateways' side of the payments part, and nothing more.

Fast and in memory, so that what is measured is the shop: Moamalat's FilterTransactions over the
sales it was told of, and Sadad's Validate, which takes as long as it was told to. What it took
itself is kept for `GET /times`. Rows have the form that the simulator writes.
"""

import asyncio
import contextlib
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from eishro.clock import TRIPOLI
from eishro.sandbox import moamalat_wire as wire

SADAD_SECONDS = 0.02  # of a call that begins a payment
MERCHANT = wire.Merchant("40081014649", "49179395", "5a" * 32, "5a" * 32)
_HEAD_END = b"\r\n\r\n"


def sale(reference: str, transaction_id: str, dirhams: int) -> wire.Transaction:
    """A paid one of the bench's terminal, made now."""
    at = datetime.now(UTC)
    return wire.Transaction(
        merchant=MERCHANT,
        transaction_id=transaction_id,
        stan=transaction_id[-6:],
        reference=reference,
        kind="Sale",
        amount_dirhams=dirhams,
        masked_card="639499XXXXXX0781",
        code=wire.APPROVED,
        text="Approved",
        at=at.astimezone(TRIPOLI),
        requested=None,
        original_id="",
        visible_at=at,
    )


class Desk:
    """What the gateways know."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.by_reference: dict[str, bytes] = {}
        self.times: list[float] = []
        self.asked = 0
        self._transactions = 0

    async def answer(self, path: str, body: bytes) -> bytes:
        """JSON for a call."""
        said: Any = json.loads(body or b"null")
        if path.endswith("/FilterTransactions"):
            self.asked += 1
            return self._listing(said)
        if path == "/sales":
            for reference, transaction_id, dirhams in said:
                if reference in self.by_reference:
                    continue
                row = json.dumps(
                    wire.filter_row(
                        sale(reference, transaction_id, dirhams), is_settled=False, amount=None
                    )
                ).encode()
                self.rows.append(row)
                self.by_reference[reference] = row
            return b"{}"
        if path == "/times":
            taken, self.times = self.times, []
            return json.dumps({"seconds": taken, "asked": self.asked}).encode()
        begun = time.perf_counter()
        self._transactions += 1
        result = {"transactionId": 7_000_000 + self._transactions}
        await asyncio.sleep(SADAD_SECONDS)
        self.times.append(time.perf_counter() - begun)
        return json.dumps({"statusCode": 0, "message": "OTP sent", "result": result}).encode()

    def _listing(self, asked: dict[str, Any]) -> bytes:
        reference = asked.get("MerchantReference")
        rows = self.rows
        if reference:
            rows = [self.by_reference[reference]] if reference in self.by_reference else []
        start, length = int(asked["DisplayStart"]), int(asked["DisplayLength"])
        shown = rows[start : start + length]
        days = b'{"Date":"today","DateTotalAmount":"0","DateTransactions":[%s]}' % b",".join(shown)
        head = b'{"Message":null,"Success":true,"TotalCountAllTransaction":%d,' % len(rows)
        return head + b'"Transactions":[%s]}' % days


async def _serve(desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(_HEAD_END)
            path = head.split(b" ", 2)[1].decode()
            length = 0
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answer = await desk.answer(path, await reader.readexactly(length))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )
            await writer.drain()
    writer.close()


async def _main(port: int) -> None:
    desk = Desk()
    server = await asyncio.start_server(
        lambda reader, writer: _serve(desk, reader, writer), "127.0.0.1", port, limit=2**24
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
