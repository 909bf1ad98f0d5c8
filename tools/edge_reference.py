"""Write `docs/reference/edge.md`: what the edge profile leaves out, made from the code.

python tools/edge_reference.py           writes it
python tools/edge_reference.py --check   exits 1 if it is stale
"""

import sys
from pathlib import Path

from eishro.edge.bindings import EdgeSettings
from eishro.edge.not_here import LEFT_OUT, NOT_HERE

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference" / "edge.md"

_VARIABLES = {
    "mail_api_url": "Where mails are posted as JSON (`src/eishro/edge/mail.py`); without it none "
    "are sent, and the log says so.",
    "mail_api_key": "The bearer key of the mail service; a secret.",
    "places": "Comma-separated D1 bindings, home first, when stores are spread over several "
    "databases; the order never changes.",
}


def main() -> int:
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(page(), encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == page():
        return 0
    print("docs/reference/edge.md is stale: run `.venv/bin/python tools/edge_reference.py`")
    return 1


def page() -> str:
    """The page's text."""
    routes = [f"| {method} | `{path}` | {why} |" for (method, path), why in NOT_HERE.items()]
    packages = [f"| `{name}` | {what} |" for name, what in sorted(LEFT_OUT.items())]
    variables = [
        f"| `EDGE_{name.upper()}` | {_VARIABLES[name]} |" for name in EdgeSettings.__struct_fields__
    ]
    opening = (
        "What cannot run in a Worker answers 501 `NOT_AVAILABLE_HERE`: these routes, and any "
        "other that reaches for a package of the second table."
    )
    return "\n".join(
        [
            "# The edge profile",
            "",
            "<!-- made by tools/edge_reference.py; do not edit -->",
            "",
            opening,
            "",
            "| Method | Path | Why |",
            "|---|---|---|",
            *routes,
            "",
            "| Package left out | What it would do |",
            "|---|---|",
            *packages,
            "",
            "Variables of this profile alone, beside the [settings](settings.md):",
            "",
            "| Variable | Meaning |",
            "|---|---|",
            *variables,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
