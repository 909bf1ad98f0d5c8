"""The operator's door: the `eishro` command."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from eishro.settings import Settings, SettingsError, load

app = App(name="eishro", help="EISHRO: a multi-store e-commerce backend for Libya.")


def main() -> None:
    """Run the command; exit code 0 only on success."""
    try:
        app()
    except SettingsError as error:
        for fault in error.faults:
            print(f"settings: {fault}", file=sys.stderr)
        sys.exit(2)


def _settings() -> Settings:
    return load(os.environ)


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command; what it cannot do is said in one line."""
    from eishro.db.migrate import NewerThanCode, NotMigrated
    from eishro.errors import ShopError

    try:
        code = asyncio.run(work)
    except (ShopError, NewerThanCode, NotMigrated, ValueError) as error:
        print(f"eishro: {error}", file=sys.stderr)
        code = 1
    sys.exit(code)


@app.command
def serve(*, host: str = "127.0.0.1", port: int = 8000, workers: int = 1) -> None:
    """Serve the API.

    Parameters
    ----------
    host: The address to listen on.
    port: The port to listen on.
    workers: Processes; more than one needs PostgreSQL.
    """
    from eishro.cli.server import run_server

    run_server(_settings(), "eishro.app:create", host, port, workers)


@app.command
def dev(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    data: Annotated[Path | None, Parameter(help="The data folder (EISHRO_DATA_DIR).")] = None,
    reload: bool = False,
) -> None:
    """Migrate, load the demo stores once, and serve with the payment sandbox and mail outbox.

    Parameters
    ----------
    host: The address to listen on.
    port: The port to listen on.
    reload: Start again when the code changes.
    """
    from eishro.cli.dev import run_dev

    run_dev(host, port, data, reload=reload)


@app.command
def migrate() -> None:
    """Bring the database to this release's schema."""
    from eishro.cli.commands import migrate_database

    _run(migrate_database(_settings()))


@app.command
def seed() -> None:
    """Load the four demo stores; does nothing where they are there."""
    from eishro.cli.seed import seed_database

    _run(seed_database(_settings()))


@app.command(name="create-admin")
def create_admin(email: str) -> None:
    """Make a platform admin; the password is asked for, or read from standard input.

    Parameters
    ----------
    email: The admin's address.
    """
    from eishro.cli.commands import create_admin as create

    _run(create(_settings(), email))


@app.command
def openapi() -> None:
    """Print the OpenAPI 3.1 document."""
    from eishro.cli.commands import print_openapi

    print_openapi()


@app.command
def worker() -> None:
    """Work off events, expiry and payment checks beside `serve` processes."""
    from eishro.cli.commands import work

    _run(work(_settings()))


@app.command
def doctor() -> None:
    """Check settings, connections, migrations and the books; exit code 1 with findings."""
    from eishro.cli.doctor import examine

    _run(examine(_settings()))
