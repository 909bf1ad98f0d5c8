"""Where a server listens."""

import ipaddress
import socket


class CannotListen(Exception):
    """The address or port cannot be served on; says which, and why."""


def check_address(host: str, port: int) -> None:
    """Listen for a moment, and say plainly what would fail later.

    Raises:
        CannotListen: the address, the port, and why.
    """
    bind(host, port).close()


def bind(host: str, port: int) -> socket.socket:
    """A socket of this address and port, for this process alone.

    Raises:
        CannotListen: the address, the port, and why.
    """
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise CannotListen(f"{host} is not an IP address such as 127.0.0.1 or 0.0.0.0") from None
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of a server that has just ended do not count.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen()
    except OSError as error:
        taken.close()
        why = error.strerror or str(error)
        raise CannotListen(f"cannot listen on {joined(host, port)}: {why}") from None
    return taken


def joined(host: str, port: int) -> str:
    """Address and port as URLs write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
