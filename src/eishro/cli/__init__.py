"""The operator's door: the `eishro` command."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from eishro.cli.address import CannotListen
from eishro.cli.environment import read_settings, warn
from eishro.settings import SettingsError

Arguments = argparse.Namespace
Result = TypeVar("Result")

PORT = 8000


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; exit code 0 only on success."""
    arguments = _parser().parse_args(words)
    try:
        arguments.command(arguments)
    except SettingsError as error:
        for fault in error.faults:
            print(f"settings: {fault}", file=sys.stderr)
        sys.exit(2)
    except (CannotListen, OSError) as error:  # the latter: a folder or file, which it names
        print(f"eishro: {error}", file=sys.stderr)
        sys.exit(1)


# What a command needs is imported when it runs, so that each starts fast and small.


def _serve(arguments: Arguments) -> None:
    """Serve the API."""
    from eishro.cli.server import run_server

    target = "eishro.cli.application:create"
    run_server(read_settings(), target, arguments.host, arguments.port, arguments.workers)


def _dev(arguments: Arguments) -> None:
    """Migrate, load the demo stores once, and serve with the payment sandbox and mail outbox."""
    from eishro.cli.dev import run_dev

    run_dev(arguments.host, arguments.port, arguments.data, reload=arguments.reload)


def _migrate(_: Arguments) -> None:
    """Bring the database to this release's schema."""
    from eishro.cli.commands import migrate_database

    _run(migrate_database(read_settings()))


def _seed(_: Arguments) -> None:
    """Load the four demo stores; does nothing where they are there."""
    from eishro.cli.seed import seed_database

    _run(seed_database(read_settings()))


def _create_admin(arguments: Arguments) -> None:
    """Make a platform admin; the password is asked for, or read from standard input."""
    from eishro.cli.commands import create_admin

    _run(create_admin(read_settings(), arguments.email))


def _openapi(_: Arguments) -> None:
    """Print the OpenAPI 3.1 document."""
    from eishro.cli.commands import print_openapi

    print_openapi()


def _worker(_: Arguments) -> None:
    """Work off events, expiry and payment checks beside `serve` processes."""
    from eishro.cli.commands import work

    settings = read_settings()
    warn(settings)
    _run(work(settings))


def _rotate_keys(_: Arguments) -> None:
    """Seal with the newest key what an older one sealed, so that the older one may go."""
    from eishro.cli.commands import rotate_keys

    _run(rotate_keys(read_settings()))


def _retention(arguments: Arguments) -> None:
    """Let go of what is older than its setting: buyers of finished orders, raw news, old mails."""
    from eishro.cli.commands import clean_up

    _run(clean_up(read_settings(), is_dry=arguments.dry_run))


def _reconcile(arguments: Arguments) -> None:
    """Compare a gateway's own list of a day with the books; exit code 1 with differences."""
    from eishro.cli.reconcile import reconcile

    _run(
        reconcile(
            read_settings(),
            provider=arguments.provider,
            day=arguments.date,
            form=arguments.format,
            statement=arguments.statement,
            account=arguments.account,
        )
    )


def _doctor(_: Arguments) -> None:
    """Check settings, connections, migrations and the books; exit code 1 with findings."""
    from eishro.cli.doctor import examine

    _run(examine(read_settings()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eishro", description="EISHRO: a multi-store e-commerce backend for Libya."
    )
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)

    def add(name: str, run: Callable[[Arguments], None]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.set_defaults(command=run)
        return command

    serving, developing = add("serve", _serve), add("dev", _dev)
    for command in (serving, developing):
        command.add_argument(
            "--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)"
        )
    serving.add_argument(
        "--port", type=_port, default=PORT, help="the port to listen on (default: %(default)s)"
    )
    serving.add_argument(
        "--workers",
        type=_workers,
        default=1,
        help="processes; more than one needs PostgreSQL (default: %(default)s)",
    )
    developing.add_argument(
        "--port",
        type=_port,
        help=f"the port to listen on (default: that of EISHRO_PUBLIC_URL, else {PORT})",
    )
    developing.add_argument(
        "--data", type=Path, help="the data folder (default: EISHRO_DATA_DIR, else data)"
    )
    developing.add_argument(
        "--reload", action="store_true", help="start again when the code changes (default: off)"
    )
    add("migrate", _migrate)
    add("seed", _seed)
    add("create-admin", _create_admin).add_argument("email", help="the admin's address")
    add("openapi", _openapi)
    add("worker", _worker)
    add("rotate-keys", _rotate_keys)
    add("retention", _retention).add_argument(
        "--dry-run", action="store_true", help="only print how many of each would go"
    )
    reconciling = add("reconcile", _reconcile)
    reconciling.add_argument("--provider", required=True, help="the gateway, such as moamalat")
    reconciling.add_argument(
        "--date", type=_day, help="the day, as 2026-01-31 (default: yesterday in Tripoli)"
    )
    reconciling.add_argument(
        "--format", choices=("table", "json", "csv"), default="table", help="(default: table)"
    )
    reconciling.add_argument(
        "--statement", type=Path, help="the gateway's statement, CSV or XLSX, instead of asking it"
    )
    reconciling.add_argument(
        "--account", help="whose statement it is, where money came by several accounts"
    )
    add("doctor", _doctor)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a day looks like 2026-01-31") from error


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("workers are a number from 1")
    return int(text)


def _run(work: Coroutine[Any, Any, int]) -> None:
    sys.exit(run_to_end(work))


def run_to_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What this work comes to; what it cannot do is said in one line, and ends the command."""
    from eishro.db.migrate import NewerThanCode, NotMigrated
    from eishro.errors import ShopError

    try:
        return asyncio.run(work)
    except (ShopError, NewerThanCode, NotMigrated, ValueError) as error:
        print(f"eishro: {error}", file=sys.stderr)
        sys.exit(1)
