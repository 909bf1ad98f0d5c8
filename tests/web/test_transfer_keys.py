"""Idempotency keys of routes that take a form: a proof and a statement."""

import asyncio

import pytest

from tests.shops import World
from tests.transferring import PNG, counter, reference_of

pytestmark = pytest.mark.anyio
_FIELDS = {
    "senderName": "فاطمة",
    "bank": "wb",
    "date": "2026-01-15",
    "bankReference": "FT1",
}
_BOUNDARY = "one-and-the-same"


def _body(fields: dict[str, str], file: tuple[str, bytes]) -> bytes:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    name, content = file
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    parts.append(f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


async def test_one_key_shows_one_proof(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    path = f"/api/payments/{payment['id']}/proof"
    headers = {
        "Idempotency-Key": "k",
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
    }
    body = _body(_FIELDS, ("a.png", PNG))
    replies = await asyncio.gather(
        *(desk.client.post(path, content=body, headers=headers) for _ in range(4))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    (listed,) = await desk.get("/transfers")
    assert len(listed["proofs"]) == 1
    files = await world.shop.files.list_keys("proofs/")
    assert len(files) == 1, "a picture that no row names is deleted"
    other = _body({**_FIELDS, "bank": "x"}, ("a.png", PNG))
    refused = await desk.client.post(path, content=other, headers=headers)
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_one_key_imports_one_statement(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    text = f"reference,description,credit\nR1,{reference_of(payment)},35.5\n"
    headers = {
        **desk.owner,
        "Idempotency-Key": "k",
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
    }
    path = f"/api/stores/{desk.store}/statements"
    body = _body({"dryRun": "false"}, ("s.csv", text.encode()))
    replies = await asyncio.gather(
        *(desk.client.post(path, content=body, headers=headers) for _ in range(4))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert len(await desk.get("/statements")) == 1
