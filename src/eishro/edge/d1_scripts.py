"""Migration scripts as single statements: D1 takes them one by one and refuses transactions."""

import re

_WORD = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|;|\b\w+\b", re.DOTALL | re.IGNORECASE
)
_TRIGGER = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?TRIGGER\b", re.IGNORECASE
)
_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


def split_script(script: str) -> list[str]:
    """The script's statements without their semicolons; triggers stay whole.

    Raises:
        ValueError: a transaction statement, which D1 refuses.
    """
    statements = []
    start = depth = 0
    for match in _WORD.finditer(script):
        word = match.group().upper()
        if _TRIGGER.match(script, start):
            depth += word in {"BEGIN", "CASE"}
            depth -= word == "END"
        if word == ";" and depth == 0:
            statements.append(script[start : match.start()])
            start = match.end()
    statements.append(script[start:])
    kept = [text for text in (_stripped(statement) for statement in statements) if text]
    for statement in kept:
        if statement.split(maxsplit=1)[0].upper() in _TRANSACTION:
            raise ValueError(f"D1 takes no transactions in migrations: {statement[:60]}")
    return kept


def _stripped(statement: str) -> str:
    lines = [line for line in statement.splitlines() if not line.strip().startswith("--")]
    return "\n".join(lines).strip()
