"""Schemathesis against the running server: every operation of the generated OpenAPI, valid and
invalid input, from the run's own seed."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import SEED
from tests.stories.people import Story

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "missing_required_header",
    "ignored_auth",
)
EXAMPLES = 12  # for each operation; `make audit` will take more
SECONDS_MAX = 900
LINE_MAX = 500  # of the output, whose addresses may be tens of thousands of characters long


def test_no_input_breaks_the_contract(story: Story, tmp_path: Path) -> None:
    registered = httpx.post(
        f"{story.shop_url}/api/auth/register",
        json={
            "email": f"fuzz{SEED}@example.ly",
            "password": "a long enough password",
            "accountType": "merchant",
            "store": {"name": "متجر التجربة"},
        },
        timeout=30,
    )
    assert registered.status_code == 201, registered.text
    token = registered.json()["data"]["accessToken"]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            "run",
            f"{story.shop_url}/openapi.json",
            "--checks",
            ",".join(CHECKS),
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            str(SEED),
            "--exclude-path",
            "/api/auth/logout",  # it would end the session that tests the others
            "--header",
            f"Authorization: Bearer {token}",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    output = "\n".join(line[:LINE_MAX] for line in lines)
    assert done.returncode == 0, f"seed {SEED}\n{output[-20000:]}"
    tested = re.search(r"(\d+) generated", output)
    assert tested is not None, output[-2000:]
    assert int(tested.group(1)) > 300
