"""What every command reads first: the settings of the environment, all their faults at once."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from eishro.settings import PREFIX, Settings, SettingsError, folder_fault, load

# How the addresses begin that the shop can open, by variable; empty ones have a default.
_KINDS = {
    "DATABASE_URL": ("sqlite:///", "postgresql://", "postgres://"),
    "KV_URL": ("memory://", "redis://", "rediss://"),
    "BLOB_URL": ("file:///", "s3://", "file://localhost/"),
    "SMTP_URL": ("smtp://", "smtps://"),
}
_ALSO_TAKEN = {"postgres://", "file://localhost/"}  # other spellings, not worth a word
# With all of these given, nothing is kept in the data folder.
_INSTEAD_OF_THE_FOLDER = ("DATABASE_URL", "BLOB_URL", "SMTP_URL", "SECRET_KEYS")


def read_settings(*, is_dev: bool = False) -> Settings:
    """The settings, usable as far as this can be seen without opening anything.

    Raises:
        SettingsError: every fault, addresses of an unknown kind and an unusable data folder
            among them.
    """
    faults = [*_unknown_kinds(), *_unusable_folder()]
    try:
        settings = load(os.environ, is_dev=is_dev)
    except SettingsError as error:
        more = [fault for fault in faults if fault not in error.faults]
        raise SettingsError([*error.faults, *more]) from error
    if faults:
        raise SettingsError(faults)
    return settings


def _unknown_kinds() -> Iterator[str]:
    """Addresses that nothing here opens; an adapter would say so one by one, and only later."""
    for name, beginnings in _KINDS.items():
        address = os.environ.get(PREFIX + name, "").strip().lower()
        if address and not address.startswith(beginnings):
            words = " or ".join(word for word in beginnings if word not in _ALSO_TAKEN)
            yield f"{PREFIX}{name}: use {words}"


def _unusable_folder() -> Iterator[str]:
    if all(os.environ.get(PREFIX + name) for name in _INSTEAD_OF_THE_FOLDER):
        return
    if fault := folder_fault(Path(os.environ.get(f"{PREFIX}DATA_DIR", "data").strip())):
        yield fault


def warn(settings: Settings) -> None:
    """Say what is allowed but hardly meant, before something starts that stays."""
    if settings.env != "production":
        return
    if not settings.is_embedded and settings.kv_url.startswith("memory:"):
        print(
            "settings: warning: EISHRO_KV_URL is memory://: where several processes serve, "
            "each counts requests and wrong passwords by itself",
            file=sys.stderr,
        )
    if settings.smtp_url is None:
        print(
            "settings: warning: EISHRO_SMTP_URL is not set: mails reach nobody, they are kept in "
            f"{settings.data_dir}",
            file=sys.stderr,
        )
