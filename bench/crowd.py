"""Many requests as fast as they are answered, whose answers are needed: what prepares a
measurement. What is measured itself is sent by wrk or by our own generator.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from bench.machine import BenchError

Ask = tuple[str, object, dict[str, str]]  # path, JSON body, headers
_HEAD_END = b"\r\n\r\n"


def post_all(port: int, asks: Sequence[Ask], connections: int = 32) -> list[Any]:
    """POST them all; the answers' JSON in the same order.

    Raises:
        BenchError: an answer of 400 and above.
    """
    return asyncio.run(_post_all(port, asks, connections))


async def _post_all(port: int, asks: Sequence[Ask], connections: int) -> list[Any]:
    answers: list[Any] = [None] * len(asks)
    numbers = iter(range(len(asks)))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for number in numbers:
                writer.write(text_of(asks[number]))
                answers[number] = await _answer(reader, asks[number])
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    return answers


def text_of(ask: Ask) -> bytes:
    """The request as it goes over the wire."""
    path, body, headers = ask
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n{lines}\r\n"
    ).encode() + content


async def _answer(reader: asyncio.StreamReader, ask: Ask) -> Any:
    head = (await reader.readuntil(_HEAD_END)).decode("latin-1")
    found = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(found[0].partition(":")[2]))
    if int(head[9:12]) >= 400:
        raise BenchError(f"{ask[0]}: {head[:12]} {body[:300]!r}")
    return json.loads(body)


def write_requests(path: Any, asks: Sequence[Ask], made: Callable[[Ask], bytes] = text_of) -> None:
    """A file of requests for the generator's work `prepared`."""
    path.write_text(json.dumps([made(ask).decode() for ask in asks]))
