"""What every command reads first: the settings of the environment, all their faults at once."""

import os
import sys
from pathlib import Path

from eishro.settings import PREFIX, Settings, SettingsError, folder_fault, load

# With all of these given, nothing is kept in the data folder.
_INSTEAD_OF_THE_FOLDER = ("DATABASE_URL", "BLOB_URL", "SMTP_URL", "SECRET_KEYS")


def read_settings(*, is_dev: bool = False) -> Settings:
    """The settings, usable as far as this can be seen without opening anything.

    Raises:
        SettingsError: every fault, an unusable data folder among them.
    """
    fault = _unusable_folder()
    try:
        settings = load(os.environ, is_dev=is_dev)
    except SettingsError as error:
        if fault is None or fault in error.faults:
            raise
        raise SettingsError([*error.faults, fault]) from error
    if fault is not None:
        raise SettingsError([fault])
    return settings


def _unusable_folder() -> str | None:
    if all(os.environ.get(PREFIX + name) for name in _INSTEAD_OF_THE_FOLDER):
        return None
    return folder_fault(Path(os.environ.get(f"{PREFIX}DATA_DIR", "data").strip()))


def warn(settings: Settings) -> None:
    """Say what is allowed but hardly meant, before something starts that stays."""
    if settings.env == "production" and settings.smtp_url is None:
        print(
            "settings: warning: EISHRO_SMTP_URL is not set: mails reach nobody, they are kept in "
            f"{settings.data_dir}",
            file=sys.stderr,
        )
