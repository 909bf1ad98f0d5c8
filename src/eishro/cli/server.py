"""Starting the HTTP server."""

import sys

from granian import Granian
from granian.constants import Interfaces, Loops

from eishro.settings import Settings

BACKLOG = 2048
STOP_SECONDS = 10


def run_server(
    settings: Settings, target: str, host: str, port: int, workers: int, *, reload: bool = False
) -> None:
    """Serve `target` (an application factory) until stopped."""
    if workers > 1 and settings.is_embedded:
        print(
            "eishro: SQLite has one writing process; use --workers 1 or set "
            "EISHRO_DATABASE_URL to PostgreSQL",
            file=sys.stderr,
        )
        sys.exit(2)
    Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        loop=Loops.uvloop,
        backlog=BACKLOG,
        reload=reload,
        log_access=False,
        websockets=False,
        workers_kill_timeout=STOP_SECONDS,
    ).serve()
