"""The operator's commands, each run as a process: what they say and their exit codes."""

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.postgres import Postgres
from tests.stories.command import EISHRO, Installation, ShopServer, wait_for

COMMANDS = (
    "serve", "dev", "migrate", "seed", "create-admin", "openapi", "worker", "rotate-keys", "doctor",
)  # fmt: skip
PRODUCTION = {
    "EISHRO_ENV": "production",
    "EISHRO_SECRET_KEYS": "one-of-the-tests-own-and-long-enough",
    "EISHRO_PUBLIC_URL": "https://shop.example.ly",
}
SCALED_OUT = {"EISHRO_DATABASE_URL": "postgresql://shop@127.0.0.1:9/shop"}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(scope="module")
def dev(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopServer]:
    folder = tmp_path_factory.mktemp("dev") / "data"
    shutil.copytree(seeded, folder)
    server = ShopServer(Installation(folder), "dev")
    server.start()
    yield server
    server.stop()


def test_help_is_there_for_every_command(installation: Installation) -> None:
    for command in COMMANDS:
        done = installation.run(command, "--help")
        assert (done.returncode, done.stderr) == (0, ""), command
        assert command in done.stdout


def test_migrating_twice_does_nothing_the_second_time(installation: Installation) -> None:
    first, second = installation.run("migrate"), installation.run("migrate")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "empty ->" in first.stdout
    assert "->" not in second.stdout


def test_postgresql_is_migrated_and_examined_too(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.create_database()
    installation = Installation(tmp_path, {"EISHRO_DATABASE_URL": url})
    assert installation.run("doctor").returncode == 1
    assert installation.run("migrate").returncode == 0
    examined = installation.run("doctor")
    assert examined.returncode == 0, examined.stdout
    postgres.drop_database(url)


def test_openapi_prints_the_document(installation: Installation) -> None:
    done = installation.run("openapi")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["openapi"].startswith("3.1")
    assert "/api/webhooks/payments/{provider}" in document["paths"]


def test_an_admin_is_made_once_and_can_sign_in(dev: ShopServer) -> None:
    beside = dev.installation
    made = beside.run("create-admin", "Boss@Example.ly", text_in="a long enough password\n")
    assert made.returncode == 0, made.stderr
    again = beside.run("create-admin", "boss@example.ly", text_in="a long enough password\n")
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    login = httpx.post(
        f"{dev.url}/api/auth/login",
        json={"email": "boss@example.ly", "password": "a long enough password"},
        trust_env=False,
    )
    assert login.json()["data"]["user"]["role"] == "admin"
    short = beside.run("create-admin", "other@example.ly", text_in="short\n")
    assert short.returncode == 1
    assert "at least" in short.stderr


def test_commands_refuse_a_database_without_a_schema_in_one_line(
    installation: Installation,
) -> None:
    for command in ("seed", "doctor"):
        done = installation.run(command)
        assert done.returncode == 1, command
        assert "migrate" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_the_doctor_sees_stock_that_does_not_add_up(seeded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(seeded, folder)
    healthy = Installation(folder).run("doctor")
    assert healthy.returncode == 0, healthy.stdout
    with sqlite3.connect(folder / "eishro.db") as db:
        db.execute("UPDATE stock SET held = held + 1 WHERE variant_id = 101")
        assert db.total_changes == 1
    db.close()
    sick = Installation(folder).run("doctor")
    assert sick.returncode == 1
    assert "finding: variants whose stock differs from its movements: 101" in sick.stdout


def test_seeding_again_changes_nothing(seeded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(seeded, folder)
    done = Installation(folder).run("seed")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("settings", "arguments", "named"),
    [
        ({"EISHRO_PORTT": "1"}, ["doctor"], "EISHRO_PORTT"),
        ({"EISHRO_BCRYPT_COST": "much"}, ["migrate"], "EISHRO_BCRYPT_COST"),
        ({"EISHRO_ENV": "production"}, ["serve"], "EISHRO_SECRET_KEYS"),
        ({"EISHRO_ENV": "production"}, ["dev"], "EISHRO_"),
        ({}, ["serve", "--workers", "2"], "PostgreSQL"),
        ({**SCALED_OUT, **PRODUCTION}, ["serve", "--workers", "2"], "EISHRO_KV_URL"),
    ],
)
def test_what_cannot_be_used_is_named_and_ends_with_two(
    tmp_path: Path, settings: dict[str, str], arguments: list[str], named: str
) -> None:
    done = Installation(tmp_path, settings).run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_production_server_refuses_published_gateway_keys(tmp_path: Path) -> None:
    production = {
        **PRODUCTION,
        "EISHRO_MOAMALAT_MERCHANT_ID": "10081014649",
        "EISHRO_MOAMALAT_TERMINAL_ID": "99179395",
        "EISHRO_MOAMALAT_SECRET_KEY": "3A488A89B3F7993476C252F017C488BB",
    }
    done = Installation(tmp_path, production).run("serve")
    assert done.returncode == 2
    assert "EISHRO_MOAMALAT_SECRET_KEY" in done.stderr
    assert "EISHRO_MOAMALAT_MERCHANT_ID" in done.stderr


def test_the_three_printed_requests_run_and_one_of_them_buys(dev: ShopServer) -> None:
    printed = dev.output.split("Three requests to copy:")[1].split("Ctrl+C")[0]
    lines = printed.replace("\\\n", " ").strip().splitlines()
    requests = [shlex.split(line) for line in lines]
    assert [words[0] for words in requests] == ["curl", "curl", "curl"]
    answers = []
    for words in requests:
        done = subprocess.run(
            [*words, "--silent", "--noproxy", "*"], capture_output=True, text=True, check=True
        )
        answers.append(json.loads(done.stdout))
    search, listing, order = answers
    assert search["data"], "the search finds something"
    assert 0 < len(listing["data"]) <= 3
    assert order["success"]
    assert order["data"]["paymentStatus"] == "pending"
    assert order["data"]["accessToken"]


def test_the_printed_logins_sign_in(dev: ShopServer) -> None:
    logins = dev.output.split("Demo logins, password ")[1].split("Three requests")[0]
    password, *lines = logins.strip().splitlines()
    emails = [line.split()[-1] for line in lines if "@" in line]
    assert len(emails) == 5
    for email in emails:
        reply = httpx.post(
            f"{dev.url}/api/auth/login",
            json={"email": email, "password": password},
            trust_env=False,
        )
        assert reply.status_code == 200, email


def test_the_sandbox_shows_test_cards_and_the_mails_that_would_have_left(
    dev: ShopServer,
) -> None:
    index = httpx.get(f"{dev.url}/sandbox", trust_env=False)
    assert index.status_code == 200
    assert "6394 9930 7726 0781" in index.text
    assert "Content-Security-Policy" in index.headers

    def mails() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{dev.url}/sandbox/mail", trust_env=False).json()
        return found

    asked = httpx.post(
        f"{dev.url}/api/auth/register",
        json={
            "email": "newcomer@example.ly",
            "password": "a long enough password",
            "accountType": "customer",
        },
        trust_env=False,
    )
    assert asked.status_code == 201
    wait_for(lambda: "newcomer@example.ly" in [mail["to"] for mail in mails()])
    assert {"to", "subject", "text", "links"} <= set(mails()[0])


def test_the_worker_works_and_ends_when_told(installation: Installation) -> None:
    assert installation.run("migrate").returncode == 0
    others = {k: v for k, v in os.environ.items() if not k.startswith("EISHRO_")}
    worker = subprocess.Popen(
        [EISHRO, "worker"],
        env={**others, **installation.settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(2.5)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
