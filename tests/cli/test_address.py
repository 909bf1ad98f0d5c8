"""Where a server listens: what cannot be is one line that names the address, and exit code 1."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eishro.cli.address import CannotListen, check_address, joined
from tests.servers.ports import free_port
from tests.stories.command import Installation


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on, ready to share it as the server itself would be."""
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield port


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_a_port_in_use_is_one_line(taken: int, tmp_path: Path, command: str) -> None:
    done = Installation(tmp_path).run(command, "--port", str(taken))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"eishro: cannot listen on 127.0.0.1:{taken}: Address already in use\n"


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("localhost", "localhost is not an IP address"),
        ("300.1.1.1", "300.1.1.1 is not an IP address"),
        ("", "is not an IP address"),
        ("192.0.2.1", "cannot listen on 192.0.2.1:"),
        ("2001:db8::1", r"cannot listen on \[2001:db8::1\]:"),
    ],
)
def test_an_address_that_is_not_ours_is_named(host: str, named: str) -> None:
    with pytest.raises(CannotListen, match=named):
        check_address(host, free_port())


def test_a_port_for_privileged_users_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unprivileged(socket.socket):
        def bind(self, _: Any) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("eishro.cli.address.socket.socket", Unprivileged)
    with pytest.raises(CannotListen, match=r"cannot listen on 127\.0\.0\.1:80: Permission denied"):
        check_address("127.0.0.1", 80)


def test_a_free_address_stays_free() -> None:
    port = free_port()
    for _ in range(2):
        check_address("127.0.0.1", port)


def test_addresses_are_joined_as_urls_write_them() -> None:
    assert joined("127.0.0.1", 80) == "127.0.0.1:80"
    assert joined("::1", 80) == "[::1]:80"
