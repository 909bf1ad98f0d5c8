"""What the Worker is given: settings from variables and secrets, and its bindings.

A missing binding or a bad variable is named at the first request; nothing is served without it.
"""

from importlib.util import find_spec
from typing import Any

import msgspec

from eishro.edge import runtime
from eishro.errors import Unavailable, Words
from eishro.settings import PREFIX, Settings, SettingsError, load

DATABASE, KEY_VALUE, FILES = "DB", "KV", "FILES"
# A method that tells each kind of binding from a variable of the same name.
_KINDS = {
    "prepare": "D1 database",
    "getWithMetadata": "KV namespace",
    "createMultipartUpload": "R2",
}
# Bindings take their place here.
_NOT_HERE = ("database_url", "kv_url", "blob_url", "smtp_url", "data_dir")


class NotReady(Unavailable):
    """The Worker was deployed without something that it needs; the details name it."""

    code = "EDGE_NOT_READY"
    words = Words("This installation is not set up completely.", "إعداد هذا النظام غير مكتمل.")

    def __init__(self, what: str) -> None:
        super().__init__(details={"missing": what})
        self.args = (what,)


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Variables that only the edge profile has, without the prefix `EISHRO_`."""

    mail_api_url: str = ""
    mail_api_key: str = ""
    places: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"EdgeSettings(mail_api_url={self.mail_api_url!r}, places={self.places!r}, …)"


def read_settings(env: Any) -> tuple[Settings, EdgeSettings]:
    """The settings in the Worker's variables and secrets.

    Raises:
        NotReady: every unknown, malformed, missing or misplaced variable, by name.
    """
    names = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    names |= {name for name in _keys(env) if name.startswith(PREFIX)}
    given = {name: value for name in sorted(names) if (value := _text(env, name)) is not None}
    faults = [
        f"{PREFIX}{name.upper()} has no meaning in a Worker: bindings take its place"
        for name in _NOT_HERE
        if PREFIX + name.upper() in given
    ]
    if not given.get(f"{PREFIX}SECRET_KEYS"):
        # In development others make a secret of their own; isolates would each make another one.
        faults.append(f"{PREFIX}SECRET_KEYS must be set: wrangler secret put {PREFIX}SECRET_KEYS")
    if find_spec("bcrypt") is None:
        faults.append("package bcrypt is not in the bundle: see docs/guide/cloudflare.md")
    if faults:
        raise NotReady("; ".join(faults))
    try:
        settings = load(given)
    except SettingsError as error:
        raise NotReady("; ".join(error.faults)) from error
    edge = EdgeSettings(
        mail_api_url=_text(env, "EDGE_MAIL_API_URL") or "",
        mail_api_key=_text(env, "EDGE_MAIL_API_KEY") or "",
        places=tuple((_text(env, "EDGE_PLACES") or "").replace(" ", "").split(","))
        if _text(env, "EDGE_PLACES")
        else (),
    )
    if edge.mail_api_url and not edge.mail_api_key:
        raise NotReady("EDGE_MAIL_API_KEY must be set with EDGE_MAIL_API_URL")
    return settings, edge


def binding_of(env: Any, name: str, method: str) -> Any:
    """The binding of this name, known by one of its methods.

    Raises:
        NotReady: it is missing, or something else has its name.
    """
    found = getattr(env, name, None)
    kind = _KINDS[method]
    if found is None or runtime.is_nothing(found):
        raise NotReady(f"binding {name} ({kind})")
    if getattr(found, method, None) is None:
        raise NotReady(f"binding {name} is no {kind}")
    return found


def _keys(env: Any) -> list[str]:
    return [str(name) for name in runtime.js().Object.keys(env)]


def _text(env: Any, name: str) -> str | None:
    value = getattr(env, name, None)
    return value if isinstance(value, str) else None
