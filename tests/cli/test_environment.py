"""What commands read before they start: every fault at once, and what is only a warning."""

import os
from pathlib import Path

import pytest

from eishro.cli.environment import read_settings, warn
from eishro.settings import SettingsError, load
from tests.servers.ports import free_port
from tests.stories.command import Installation

PRODUCTION = {
    "EISHRO_ENV": "production",
    "EISHRO_SECRET_KEYS": "one-of-the-tests-own-and-long-enough",
    "EISHRO_PUBLIC_URL": "https://shop.example.ly",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def _given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"EISHRO_{name}", value)


def test_a_data_folder_that_is_a_file_is_named_by_every_command(file: Path) -> None:
    for command in ("serve", "dev", "migrate", "seed", "worker", "doctor"):
        for settings in ({}, PRODUCTION) if command != "dev" else ({},):
            there = {**settings, "EISHRO_DATA_DIR": str(file)}
            done = Installation(file.parent, there).run(command)
            expected = f"settings: EISHRO_DATA_DIR: {file} is not a folder\n"
            assert (done.returncode, done.stderr) == (2, expected), command


def test_a_data_folder_below_a_file_or_out_of_reach_is_named(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    _given(monkeypatch, DATA_DIR=str(file / "below"))
    with pytest.raises(SettingsError, match="is not a folder"):
        read_settings()
    _given(monkeypatch, DATA_DIR=str(file.parent / "new" / "folder"))
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.F_OK and Path(path).exists())
    with pytest.raises(SettingsError, match="cannot be written to"):
        read_settings()
    assert not (file.parent / "new").exists()


def test_a_folder_s_fault_comes_with_the_others(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    _given(monkeypatch, DATA_DIR=str(file), LOG_LEVEL="loud", PUBLIC_URL="shop")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    named = [fault.split()[0].rstrip(":") for fault in caught.value.faults]
    assert named == ["EISHRO_LOG_LEVEL", "EISHRO_PUBLIC_URL", "EISHRO_DATA_DIR"]


def test_addresses_of_an_unknown_kind_are_named_together_before_anything_starts(
    tmp_path: Path,
) -> None:
    wrong = {
        "EISHRO_DATABASE_URL": "mysql://db.internal/eishro",
        "EISHRO_KV_URL": "memcached://kv.internal",
        "EISHRO_BLOB_URL": "/var/lib/files",
        "EISHRO_SMTP_URL": "mail.internal:587",
        "EISHRO_LOG_LEVEL": "loud",
    }
    for command in ("serve", "dev", "migrate", "worker", "doctor"):
        done = Installation(tmp_path, wrong).run(command)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert done.stderr.splitlines() == [
            "settings: EISHRO_LOG_LEVEL: use debug or info or warning or error",
            "settings: EISHRO_DATABASE_URL: use sqlite:/// or postgresql://",
            "settings: EISHRO_KV_URL: use memory:// or redis:// or rediss://",
            "settings: EISHRO_BLOB_URL: use file:/// or s3://",
            "settings: EISHRO_SMTP_URL: use smtp:// or smtps://",
        ], command


@pytest.mark.parametrize(
    "given",
    [
        {"DATABASE_URL": "", "KV_URL": "memory://", "BLOB_URL": "", "SMTP_URL": ""},
        {"DATABASE_URL": "postgres://db/eishro", "BLOB_URL": "file://localhost/srv/files"},
        {"KV_URL": "REDISS://kv:6380/1", "SMTP_URL": " smtps://mail.internal "},
    ],
)
def test_every_address_that_can_be_opened_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str]
) -> None:
    _given(monkeypatch, DATA_DIR=str(tmp_path), **given)
    read_settings()


def test_an_address_that_is_wrong_further_on_is_one_line_too(tmp_path: Path) -> None:
    settings = {"EISHRO_SMTP_URL": "smtp://mail.internal:many"}
    done = Installation(tmp_path, settings).run("dev", "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr == "eishro: EISHRO_SMTP_URL: the port is not a number\n"


def test_a_folder_that_nothing_is_kept_in_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    _given(
        monkeypatch,
        DATA_DIR=str(file),
        DATABASE_URL="postgresql://db.internal/eishro",
        BLOB_URL="s3://bucket?endpoint=https://s3.internal",
        SMTP_URL="smtp://mail.internal",
        SECRET_KEYS=PRODUCTION["EISHRO_SECRET_KEYS"],
    )
    assert read_settings().data_dir == file


def test_production_without_a_mail_server_is_warned(capsys: pytest.CaptureFixture[str]) -> None:
    warn(load({**PRODUCTION, "EISHRO_SMTP_URL": "smtp://mail.internal"}))
    assert capsys.readouterr().err == ""
    warn(load(PRODUCTION))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("settings: warning: EISHRO_SMTP_URL is not set")


def test_the_warning_is_there_when_something_starts(tmp_path: Path) -> None:
    for command in ("serve", "worker"):
        done = Installation(tmp_path, PRODUCTION).run(command)  # not migrated, so it ends at once
        assert done.returncode == 1
        assert "warning: EISHRO_SMTP_URL" in done.stderr, command
