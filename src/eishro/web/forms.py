"""Files and fields that come as `multipart/form-data`."""

import io
from typing import Any

import falcon
import msgspec
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseOptions

from eishro.errors import Invalid, Words
from eishro.web.errors import BadRequest, UnsupportedMediaType
from eishro.web.faults import find_faults
from eishro.web.routes import Call
from eishro.web.wire import read_hook

PARTS_MAX = 20
_FORM = "multipart/form-data"
_NO_FILE = Words("must be a file", "يجب أن يكون ملفا")


class Upload(msgspec.Struct, frozen=True):
    """A file as it was sent; its name is only told, never used as a path."""

    name: str
    content: bytes


def read_form(call: Call, kind: type[msgspec.Struct]) -> tuple[Upload, Any]:
    """The part `file`, and the other parts as a struct.

    Raises:
        As `read_optional_form`, and `Invalid` where the file is missing.
    """
    upload, values, faults = _read(call, kind)
    if upload is None:
        faults["file"] = _NO_FILE
    if faults or upload is None:
        raise Invalid(faults)
    return upload, msgspec.convert(values, kind, strict=False, dec_hook=read_hook)


def read_optional_form(call: Call, kind: type[msgspec.Struct]) -> tuple[Upload | None, Any]:
    """The same where the file may be missing.

    Raises:
        UnsupportedMediaType, BadRequest: no form, or a damaged one.
        Invalid: each faulty part by its name.
    """
    upload, values, faults = _read(call, kind)
    if faults:
        raise Invalid(faults)
    return upload, msgspec.convert(values, kind, strict=False, dec_hook=read_hook)


def _read(
    call: Call, kind: type[msgspec.Struct]
) -> tuple[Upload | None, dict[str, object], dict[str, Words]]:
    content_type = call.request.content_type or ""
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType()
    upload: Upload | None = None
    values: dict[str, object] = {}
    try:
        for name, file_name, content in _parts(call, content_type):
            if name == "file":
                upload = Upload((file_name or "file")[:200], content)
            else:
                values[name] = content.decode("utf-8")
    except (falcon.HTTPError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest() from error
    return upload, values, dict(find_faults(kind, values, strict=False))


def _parts(call: Call, content_type: str) -> list[tuple[str, str | None, bytes]]:
    options = MultipartParseOptions()
    options.max_body_part_count = PARTS_MAX
    options.max_body_part_buffer_size = call.door.rules.body_bytes_max
    handler = MultipartFormHandler(options)
    body = call.body_bytes
    form = handler.deserialize(io.BytesIO(body), content_type, len(body))
    return [(part.name or "", part.filename, part.get_data()) for part in form]
