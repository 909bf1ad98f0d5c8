"""The documentation is checked like code: links, names, commands, generated pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from eishro.db.schema import METADATA
from eishro.web.api import ROUTES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [
        target
        for target in re.findall(r"\]\(([^)#\s]+)", text)
        if not target.startswith(("http://", "https://"))
        and not (page.parent / target).resolve().exists()
    ]
    assert missing == []


def test_every_path_the_readme_and_the_guides_name_exists() -> None:
    missing = []
    for page in PAGES:
        for path in re.findall(
            r"`((?:src|docs|bench|tests|tools)/[\w./-]+)`", page.read_text("utf-8")
        ):
            if not (ROOT / path).exists():
                missing.append(f"{_name(page)}: {path}")
    assert missing == []


def test_security_promises_name_tests_that_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w./]+)`", text)
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_reference_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/reference.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_original_schema_s_columns_are_where_the_page_says() -> None:
    text = (ROOT / "docs" / "original-schema.md").read_text("utf-8")
    columns, indexes = text.split("## Indexes")
    named = re.findall(r"`(\w+)\.(\w+)`", columns)
    assert len(named) > 40
    assert [f"{t}.{c}" for t, c in named if c not in METADATA.tables[t].c] == []
    known = {str(index.name) for table in METADATA.tables.values() for index in table.indexes}
    known |= {"ix_product_search_document"}  # PostgreSQL's own, in migration 0001
    assert [name for name in re.findall(r"`(ix_\w+)`", indexes) if name not in known] == []


def test_the_routes_the_guides_name_exist() -> None:
    known = {(route.method, re.sub(r"\{\w+(:\w+)?\}", "*", route.path)) for route in ROUTES}
    unknown = []
    for page in PAGES:
        for method, path in re.findall(
            r"`(GET|POST|PUT|DELETE) (/[\w/:-]+)`", page.read_text("utf-8")
        ):
            is_sandbox = path.startswith("/sandbox")
            if not is_sandbox and (method, re.sub(r":\w+", "*", path)) not in known:
                unknown.append(f"{_name(page)}: {method} {path}")
    assert unknown == []
