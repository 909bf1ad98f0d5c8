"""Starting the HTTP server.

Slow or silent clients are many connections and little work. So: each must send its request within
a deadline, HTTP/1 alone is spoken (a proxy in front speaks what it likes with browsers; waiting
for a connection's protocol has no deadline), and as many are taken as there are descriptors for.
"""

import asyncio
import contextlib
import importlib
import logging
import resource
import signal
import sys
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from eishro.cli.address import check_address
from eishro.cli.environment import warn
from eishro.settings import Settings

BACKLOG = 2048
STOP_SECONDS = 10
OPEN_FILES_MAX = 65_536  # enough; where there is no hard limit, "all" is a number nothing can use
OPEN_FILES_KEPT = 256  # of a process, for the database, files and gateways
CONNECTIONS_MAX = 8_192  # of a process; a silent one costs it some 17 kilobytes
HEAD_BYTES_MAX = 32_768  # what it may cost at most before its request is looked at


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
    check_address(host, port)
    warn(settings)
    open_files = raise_open_files()
    options = {
        "address": host,
        "port": port,
        "interface": Interfaces.ASGI,
        "factory": True,
        "http": HTTPModes.http1,
        "http1_settings": HTTP1Settings(
            header_read_timeout=settings.header_seconds * 1_000,
            max_buffer_size=HEAD_BYTES_MAX,
        ),
        "backlog": BACKLOG,
        "backpressure": max(1, min(CONNECTIONS_MAX, open_files - OPEN_FILES_KEPT)),
        "log_access": False,
        "websockets": False,
    }
    if workers == 1 and not reload:
        uvloop.run(_serve_here(target, options))
    else:
        _serve_processes(target, options, workers, reload=reload)


def _serve_processes(target: str, options: dict[str, Any], workers: int, *, reload: bool) -> None:
    """In processes of their own, watched by this one."""
    from granian import Granian

    Granian(
        target,
        workers=workers,
        loop=Loops.uvloop,
        reload=reload,
        workers_kill_timeout=STOP_SECONDS,
        **options,
    ).serve()


async def _serve_here(target: str, options: dict[str, Any]) -> None:
    """In this process (docs/decisions/0027-one-process.md). Where the application does not start,
    the exit code is 1, as it is where processes are watched.
    """
    from granian.server.embed import Server

    module, _, name = target.partition(":")
    server = Server(getattr(importlib.import_module(module), name), **options)
    server.workers_kill_timeout = STOP_SECONDS
    loop = asyncio.get_running_loop()
    logging.getLogger("_granian").addFilter(_is_news)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    with contextlib.suppress(TimeoutError):
        await server.serve()
    if not server.interrupt_signal:
        sys.exit(1)


def _is_news(record: logging.LogRecord) -> bool:
    """Not what Granian says at each start of the way it is used here."""
    return "experimental" not in record.getMessage()


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
