"""`eishro dev`: the port it takes, the addresses it prints, and what `--help` says of them."""

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eishro.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def listened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int]]:
    """Where servers would have listened; nothing is prepared or started."""
    places: list[tuple[str, int]] = []

    async def prepare(_: Any) -> None:
        return None

    def serve(_: Any, _target: str, host: str, port: int, _workers: int, **_more: Any) -> None:
        places.append((host, port))

    dev = importlib.import_module("eishro.cli.dev")  # a command has the module's name
    monkeypatch.setattr(dev, "_prepare", prepare)
    monkeypatch.setattr(dev, "run_server", serve)
    monkeypatch.setattr(dev, "check_address", lambda *_: None)
    monkeypatch.setenv("EISHRO_DATA_DIR", str(tmp_path))
    for name in ("EISHRO_PUBLIC_URL", "EISHRO_CORS_ORIGINS"):
        # Set, then deleted: what `dev` sets itself is undone after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return places


@pytest.mark.parametrize(
    ("public_url", "words", "port"),
    [
        (None, [], 8000),
        (None, ["--port", "8123"], 8123),
        ("http://127.0.0.1:8456", [], 8456),
        ("http://127.0.0.1:8456", ["--port", "8123"], 8123),
        ("http://shop.localhost", [], 8000),
        ("https://tunnel.example:8443", [], 8000),
    ],
)
def test_the_port_is_the_option_s_or_else_the_public_address_s(
    listened: list[tuple[str, int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    public_url: str | None,
    words: list[str],
    port: int,
) -> None:
    if public_url is not None:
        monkeypatch.setenv("EISHRO_PUBLIC_URL", public_url)
    main(["dev", *words])
    assert listened == [("127.0.0.1", port)]
    here, printed = f"http://127.0.0.1:{port}", capsys.readouterr().out
    assert f"  API          {here}/api/stores\n" in printed
    assert f"curl '{here}/api/stores/" in printed
    leads_elsewhere = public_url is not None and public_url != here
    assert (f"  links        {public_url} (EISHRO_PUBLIC_URL)\n" in printed) == leads_elsewhere


@pytest.mark.parametrize(
    ("host", "here"), [("0.0.0.0", "127.0.0.1:8000"), ("::", "[::1]:8000"), ("::1", "[::1]:8000")]
)
def test_the_printed_address_is_one_that_can_be_opened(
    listened: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], host: str, here: str
) -> None:
    main(["dev", "--host", host])
    assert listened == [(host, 8000)]
    assert f"http://{here}/api/stores\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "options"), [("serve", {"host", "port", "workers"}), ("dev", {"host", "port"})]
)
def test_help_names_the_defaults(
    capsys: pytest.CaptureFixture[str], command: str, options: set[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for option in options:
        assert "(default: " in shown.rpartition(f"--{option} ")[2], option
    assert "8000)" in shown


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_workers_are_counted_from_one(workers: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--workers", workers])


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize(
    ("words", "command"),
    [(["PORT=8080"], "eishro dev --port 8080"), (["PORT="], "eishro dev")],
)
def test_make_run_passes_the_port_on(words: list[str], command: str) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "run", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].rstrip().endswith(command)
