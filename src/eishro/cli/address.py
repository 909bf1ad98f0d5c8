"""Where a server listens."""

import ipaddress
import socket


class CannotListen(Exception):
    """The address or port cannot be served on; says which, and why."""


def check_address(host: str, port: int) -> None:
    """Listen for a moment, and say plainly what would fail later.

    The server itself lets a second one of the same user join it on a port; this does not, so that
    requests never go to one that was forgotten.

    Raises:
        CannotListen: the address, the port, and why.
    """
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise CannotListen(f"{host} is not an IP address such as 127.0.0.1 or 0.0.0.0") from None
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Connections of a server that has just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotListen(f"cannot listen on {joined(host, port)}: {why}") from None


def joined(host: str, port: int) -> str:
    """Address and port as URLs write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
