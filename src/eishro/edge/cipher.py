"""AES-256-GCM by the runtime's own `node:crypto`: the `Cipher` port of `keyring.py`.

WebCrypto is asynchronous and Python's `cryptography` is a large native package; Cloudflare's
`nodejs_compat` has the synchronous calls of Node.js, which are what the keyring needs.
"""

from typing import Any

from eishro.edge import runtime

_ALGORITHM = "aes-256-gcm"
_TAG_BYTES = 16
_HEX = "hex"


class NodeCipher:
    """Sealing with `node:crypto`; what other profiles sealed with the same keys opens here."""

    def encrypt(self, key: bytes, nonce: bytes, content: bytes, purpose: bytes) -> bytes:
        cipher = self._crypto().createCipheriv(_ALGORITHM, *_bytes(key, nonce))
        cipher.setAAD(*_bytes(purpose))
        text = cipher.update(*_bytes(content), None, _HEX) + cipher.final(_HEX)
        # The tag is only to be had as a Buffer, a class that Pyodide cannot convert: JavaScript
        # itself puts it into an array, and the array crosses as JSON.
        (tag,) = runtime.from_js(
            runtime.js().Array.from_(runtime.to_js([0]), cipher.getAuthTag, cipher)
        )
        return bytes.fromhex(str(text)) + bytes(tag["data"])

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, purpose: bytes) -> bytes | None:
        if len(sealed) < _TAG_BYTES:
            return None
        try:
            opener = self._crypto().createDecipheriv(_ALGORITHM, *_bytes(key, nonce))
            opener.setAAD(*_bytes(purpose))
            opener.setAuthTag(*_bytes(sealed[-_TAG_BYTES:]))
            text = opener.update(*_bytes(sealed[:-_TAG_BYTES]), None, _HEX) + opener.final(_HEX)
            return bytes.fromhex(str(text))
        except runtime.js_error():
            return None  # another key, or changed text: `final` refuses the tag

    def _crypto(self) -> Any:
        return runtime.node_module("node:crypto")


def _bytes(*contents: bytes) -> list[Any]:
    return [runtime.bytes_to_js(content) for content in contents]
