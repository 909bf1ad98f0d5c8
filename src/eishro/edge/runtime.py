"""The border to JavaScript: the only module that touches Pyodide's foreign function interface.

Values cross as JSON text, one crossing each way: cheaper than a proxy for every cell, and null,
integers and texts arrive as what they were. Facts: Pyodide 314 (`pyodide.ffi`), Cloudflare
Workers' `nodejs_compat`. The modules `js` and `pyodide` exist in that runtime only, so they are
looked up at the first use and not when this module is imported.
"""

from importlib import import_module
from typing import Any

import msgspec


def js() -> Any:
    """JavaScript's global scope."""
    return import_module("js")


def ffi() -> Any:
    """`pyodide.ffi`."""
    return import_module("pyodide.ffi")


def js_error() -> type[BaseException]:
    """The exception that a rejected promise or a thrown JavaScript error becomes."""
    kind: type[BaseException] = ffi().JsException
    return kind


def to_js(value: object) -> Any:
    """A JSON value as JavaScript objects; numbers must be below 2**53."""
    return js().JSON.parse(msgspec.json.encode(value).decode())


def from_js(value: Any) -> Any:
    """JavaScript objects as Python values, as JSON carries them."""
    return msgspec.json.decode(js().JSON.stringify(value))


def bytes_to_js(content: bytes) -> Any:
    """A `Uint8Array` of its own memory: WebAssembly's may move while a promise waits."""
    return ffi().to_js(content).slice()


def bytes_from_js(buffer: Any) -> bytes:
    """An `ArrayBuffer` or typed array as bytes."""
    content: bytes = buffer.to_bytes()
    return content


def is_nothing(value: Any) -> bool:
    """True for `undefined`, `null` and None."""
    return value is None or value is getattr(ffi(), "jsnull", None)


def node_module(name: str) -> Any:
    """A module of Node.js that the runtime provides, such as `node:crypto`.

    Raises:
        LookupError: the Worker has no `nodejs_compat` flag.
    """
    process = getattr(js(), "process", None)
    found = process.getBuiltinModule(name) if process is not None else None
    if found is None:
        raise LookupError(f"{name} is missing: set the compatibility flag nodejs_compat")
    return found
