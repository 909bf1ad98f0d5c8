"""Starting, stopping, and listening again."""

import asyncio
import os
import resource
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from eishro.cli.address import bind
from eishro.server import accepting
from eishro.server.limits import Limits
from eishro.server.serving import CannotStart, Server
from tests.server.hosting import GET, Client, Gate, Hosting, echo, get, post, until

pytestmark = pytest.mark.anyio


async def test_requests_under_way_are_finished_and_new_ones_refused(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate)
    busy, idle = await hosting.connect(place), await hosting.connect(place)
    half, later = await hosting.connect(place), await hosting.connect(place)
    await idle.send(get("/idle"))
    await gate.reached(lambda: gate.begun == 1)
    gate.opened.set()
    await idle.answer()
    gate.opened.clear()
    await busy.send(get("/busy") + get("/behind"))
    await half.send(post(b"half")[:-1])
    await later.send(GET[:-2])
    await gate.reached(lambda: gate.begun == 3)
    stopping = asyncio.create_task(place.stop())
    assert await idle.rest() == b""
    assert await later.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await hosting.connect(place)
    await half.send(b"f")
    gate.opened.set()
    found = await busy.answer()
    assert (found.body, found.headers["connection"]) == (b"GET /busy ", "close")
    assert await busy.rest() == b"", "what stands behind may be sent again elsewhere"
    busy.close()
    assert (await half.answer()).body == b"POST / half"
    await stopping
    assert gate.begun == gate.ended == 3


async def test_a_request_that_is_on_its_way_already_is_answered(hosting: Hosting) -> None:
    """Its client could not know whether it was done; a kept connection's is the usual one."""
    place = await hosting.start(echo)
    kept, silent = await hosting.connect(place), await hosting.connect(place)
    await kept.send(get("/first"))
    await kept.answer()
    stopping = asyncio.create_task(place.stop())
    await until(lambda: place.server.is_closing)
    await kept.send(get("/second"))
    found = await kept.answer()
    assert (found.body, found.headers["connection"]) == (b"GET /second ", "close")
    assert await kept.rest() == b""
    assert await silent.rest() == b""
    await stopping


async def test_who_waits_to_be_let_in_when_the_server_stops_is_answered(hosting: Hosting) -> None:
    """The system has told them that they are connected."""
    place = await hosting.start(echo)
    waiting = [socket.create_connection(place.address) for _ in range(40)]
    for client in waiting:
        client.sendall(GET)
    await place.stop()
    for client in waiting:
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        client.close()


async def test_clients_that_come_together_are_let_in_together(hosting: Hosting) -> None:
    """Were it one at a turn of the loop, the last would wait for many answers to the first."""
    place = await hosting.start(echo)
    waiting = [socket.create_connection(place.address) for _ in range(40)]
    turns = 0
    while len(place.server.connections) < len(waiting):
        await asyncio.sleep(0)
        turns += 1
    assert turns < 12
    for client in waiting:
        client.close()


async def test_being_told_twice_changes_nothing(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate)
    client = await hosting.connect(place)
    await client.send(GET)
    await gate.reached(lambda: gate.begun == 1)
    stopping = asyncio.create_task(place.stop())
    await asyncio.sleep(0)
    place.server.stop()
    await asyncio.sleep(0.05)
    assert not stopping.done()
    gate.opened.set()
    assert (await client.answer()).status == 200
    await stopping


async def test_what_takes_too_long_is_cut_off(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate, stop_seconds=0.1)
    client = await hosting.connect(place)
    await client.send(post(b"whole"))
    await gate.reached(lambda: gate.begun == 1)
    await place.stop()
    assert (gate.ended, gate.cancelled) == (0, 1)
    assert await client.rest() == b""


async def test_what_is_done_for_those_that_are_gone_is_finished_too(hosting: Hosting) -> None:
    """The application's database stays open for it."""
    gate = Gate()
    place = await hosting.start(gate)
    client = await hosting.connect(place)
    await client.send(post(b"pay"))
    await gate.reached(lambda: gate.begun == 1)
    client.reset()
    (connection,) = place.server.connections
    await until(lambda: connection._has_left)
    stopping = asyncio.create_task(place.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    gate.opened.set()
    await stopping
    assert gate.ended == 1


async def test_who_hears_a_refusal_holds_up_nobody(hosting: Hosting) -> None:
    place = await hosting.start(connections=0, linger_seconds=60.0)
    client = await hosting.connect(place)
    assert (await client.answer()).status == 503
    await until(lambda: len(place.server.refusals) == 1)
    await place.stop()


def lifespan(startup: Any, shutdown: Any) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        await startup(send)
        assert (await receive())["type"] == "lifespan.shutdown"
        await shutdown(send)

    return application


async def started(send: Any) -> None:
    await send({"type": "lifespan.startup.complete"})


async def stuck(send: Any) -> None:
    await asyncio.Event().wait()


async def test_an_application_that_does_not_start_is_not_served() -> None:
    async def fail(send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def end(send: Any) -> None:
        return

    for startup in (fail,):
        listening = bind("127.0.0.1", 0)
        address = listening.getsockname()
        with pytest.raises(CannotStart):
            await Server(lifespan(startup, end), Limits(close_seconds=0.05)).serve(listening)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_a_server_told_to_stop_while_it_starts_stops() -> None:
    server = Server(lifespan(stuck, stuck), Limits())
    serving = asyncio.create_task(server.serve(bind("127.0.0.1", 0)))
    await asyncio.sleep(0.02)
    server.stop()
    async with asyncio.timeout(5):
        await serving


async def test_an_application_that_does_not_close_is_not_waited_for() -> None:
    server = Server(lifespan(started, stuck), Limits(close_seconds=0.05))
    serving = asyncio.create_task(server.serve(bind("127.0.0.1", 0)))
    await asyncio.sleep(0.02)
    server.stop()
    async with asyncio.timeout(5):
        await serving
    for task in asyncio.all_tasks():
        if getattr(task.get_coro(), "__qualname__", "").startswith("lifespan"):
            task.cancel()


async def test_a_server_without_a_descriptor_to_spare_goes_on_later(hosting: Hosting) -> None:
    place = await hosting.start()
    assert (await hosting.ask(place, GET)).status == 200
    client = Client(socket.socket())
    client.socket.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        await asyncio.get_running_loop().sock_connect(client.socket, place.address)
        await asyncio.sleep(0.05)
        assert not place.server.connections
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await client.send(GET)
    assert (await client.answer()).status == 200
    client.close()


async def test_after_a_shortage_those_that_wait_are_let_in_soon(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a descriptor to spare now and then, they come in by ones; a second each is too long.
    The log is not filled with it either.
    """
    said: list[str] = []
    monkeypatch.setattr(accepting, "_LOG", SimpleNamespace(error=lambda *_, **__: said.append("")))
    place = await hosting.start()
    waiting = [socket.socket() for _ in range(12)]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, limit[1]))
    try:
        began = asyncio.get_running_loop().time()
        for client in waiting:
            client.connect(place.address)
            client.sendall(get("/", "Connection: close"))
        await until(lambda: len(said) > 0)
        for client in waiting:
            client.setblocking(False)
            assert (await Client(client).rest()).startswith(b"HTTP/1.1 200 ")
        took = asyncio.get_running_loop().time() - began
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for client in waiting:
            client.close()
    assert took < len(waiting) * 0.3
    assert len(said) == 1
