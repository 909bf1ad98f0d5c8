"""Starting the HTTP server.

Slow or silent clients are many connections and little work. So: each must send its request within
a deadline, HTTP/1 alone is spoken (a proxy in front speaks what it likes with browsers), and as
many are taken as there are descriptors for.
"""

import asyncio
import contextlib
import importlib
import resource
import signal
import socket
import sys
from pathlib import Path

import uvloop

import eishro
from eishro.cli.address import bind
from eishro.cli.environment import warn
from eishro.server.limits import Limits
from eishro.server.processes import run_many, run_reloading
from eishro.server.serving import CannotStart, Server
from eishro.settings import Settings

OPEN_FILES_MAX = 65_536  # enough; where there is no hard limit, "all" is a number nothing can use
OPEN_FILES_KEPT = 256  # of a process, for the database, files and gateways
SPARE_SECONDS = 2.0  # for a process that has stopped to end


def run_server(
    settings: Settings, target: str, host: str, port: int, workers: int, *, reload: bool = False
) -> None:
    """Serve `target` (an application factory) until stopped.

    Raises:
        CannotListen: before anything is started.
    """
    if workers > 1 and settings.is_embedded:
        print(
            "eishro: SQLite has one writing process; use --workers 1 or set "
            "EISHRO_DATABASE_URL to PostgreSQL",
            file=sys.stderr,
        )
        sys.exit(2)
    if workers > 1 and settings.env == "production" and settings.kv_url.startswith("memory:"):
        print(
            "eishro: each process would count requests and wrong passwords by itself; set "
            "EISHRO_KV_URL to redis://… or use --workers 1",
            file=sys.stderr,
        )
        sys.exit(2)
    listening = bind(host, port)
    warn(settings)
    open_files = raise_open_files()
    limits = Limits(
        head_seconds=settings.header_seconds,
        connections=max(1, min(Limits().connections, open_files - OPEN_FILES_KEPT)),
    )
    end_seconds = limits.stop_seconds + limits.close_seconds + SPARE_SECONDS

    def work(tie: int | None = None) -> None:
        if reload:
            forget_modules()
        uvloop.run(_serve(target, listening, limits, tie))

    if reload:
        source = Path(eishro.__file__).parent
        sys.exit(run_reloading(work, source, end_seconds))
    if workers > 1:
        sys.exit(run_many(work, workers, end_seconds, let_go=listening.close))
    work()


def forget_modules() -> None:
    """Let what this process imports be read anew: it has what the process that it was split from
    had imported, as the files were then.
    """
    package = eishro.__name__
    for name in tuple(sys.modules):
        if name == package or name.startswith(f"{package}."):
            del sys.modules[name]


async def _serve(target: str, listening: socket.socket, limits: Limits, tie: int | None) -> None:
    """Serve until a signal says to stop, or nothing holds the other end of `tie`."""
    module, _, name = target.partition(":")
    server = Server(getattr(importlib.import_module(module), name)(), limits)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    if tie is not None:

        def stop() -> None:
            loop.remove_reader(tie)  # it would be readable for ever
            server.stop()

        loop.add_reader(tie, stop)
    try:
        await server.serve(listening)
    except CannotStart:  # it has said why
        sys.exit(1)


def raise_open_files() -> int:
    """Raise this process's limit of open files, its children's too; the limit that now holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft == resource.RLIM_INFINITY:
        return OPEN_FILES_MAX
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems refuse; then less must do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return soft
