"""The line of revisions as migration files for D1, in `edge/migrations/`.

    python tools/d1_migrations.py           writes what is missing
    python tools/d1_migrations.py --check   exits 1 and names what is missing or changed

`0000_edge.sql` makes the tables that only D1 has; after it comes one file a revision, in the same
order and with the same name. A revision that concerns PostgreSQL alone only moves the version.
"""

import io
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from eishro.edge.d1_limits import check_statement
from eishro.edge.d1_scripts import split_script
from eishro.edge.tables import edge_schema

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "src" / "eishro" / "db" / "migrations" / "versions"
TARGET = ROOT / "edge" / "migrations"
_OPENING = "-- made by tools/d1_migrations.py from {source}; do not edit\n"


def main() -> int:
    files = render()
    if "--check" not in sys.argv[1:]:
        TARGET.mkdir(parents=True, exist_ok=True)
        for path in TARGET.glob("*.sql"):
            if path.name not in files:
                path.unlink()
        for name, text in files.items():
            (TARGET / name).write_text(text, encoding="utf-8")
        return 0
    present = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*.sql")}
    stale = sorted(
        name for name in files.keys() | present.keys() if files.get(name) != present.get(name)
    )
    for name in stale:
        print(f"edge/migrations/{name} is stale: run `.venv/bin/python tools/d1_migrations.py`")
    return 1 if stale else 0


def render() -> dict[str, str]:
    """The text of each file by its name."""
    files = {"0000_edge.sql": _file("src/eishro/edge/tables.py", edge_schema())}
    since = None
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        revision = path.name[:4]
        script = _script(f"{since or 'base'}:{revision}")
        files[f"{path.stem}.sql"] = _file(path.relative_to(ROOT).as_posix(), split_script(script))
        since = revision
    return files


def _script(revisions: str) -> str:
    buffer = io.StringIO()
    config = Config(output_buffer=buffer)
    config.set_main_option("script_location", "eishro.db:migrations")
    config.attributes["dialect_name"] = "sqlite"
    command.upgrade(config, revisions, sql=True)
    return buffer.getvalue()


def _file(source: str, statements: list[str]) -> str:
    for statement in statements:
        check_statement(statement, [])
    return _OPENING.format(source=source) + "".join(f"\n{text};\n" for text in statements)


if __name__ == "__main__":
    sys.exit(main())
