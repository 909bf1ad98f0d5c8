"""OpenAPI 3.1 from the route table: paths, parameters, bodies, answers, errors."""

import re
import typing
from collections.abc import Sequence
from typing import Any

import msgspec

from eishro import __version__
from eishro.web.routes import Route
from eishro.web.wire import WireType

_REF = "#/components/schemas/{name}"
_ERRORS = {
    "400": "The request cannot be read",
    "401": "Nobody, or nobody any more, behind the request",
    "403": "Not allowed",
    "404": "Not found",
    "405": "Method not allowed",
    "408": "The body did not come in time",
    "409": "Not possible in the present state",
    "412": "If-Match names another version",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "422": "Faulty members, by path",
    "429": "Too many requests",
    "500": "A fault of ours",
    "502": "A gateway does not answer",
    "503": "Busy; try again",
}
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_PARAMETERS: dict[str, dict[str, Any]] = {
    "store_id": {"schema": {"type": "string", "maxLength": 60}, "description": "Id or slug"},
    "product_id": {"schema": {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}},
    "category_id": {"schema": {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}},
}


def openapi_document(routes: Sequence[Route]) -> bytes:
    """The whole document as JSON."""
    kinds = _kinds(routes)
    _, components = msgspec.json.schema_components(
        kinds, schema_hook=_schema_hook, ref_template=_REF
    )
    components = _with_money_as_numbers(components)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "EISHRO API",
            "version": __version__,
            "description": (
                "A headless, multi-store e-commerce backend for Libya. Money is a JSON number in "
                "dinars with at most 3 decimals; times are UTC."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": _paths(routes),
        "components": {
            "schemas": {**components, "Error": _error_schema(), "Pagination": _page_schema()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "orderToken": {"type": "apiKey", "in": "header", "name": "X-Order-Token"},
            },
        },
    }
    return msgspec.json.encode(document)


def _kinds(routes: Sequence[Route]) -> list[Any]:
    found: dict[Any, None] = {}
    for route in routes:
        for kind in (route.body, route.query, route.answer):
            if kind is not None:
                found.setdefault(kind)
    return list(found)


def _paths(routes: Sequence[Route]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        path = _PATH_PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.tag.lower()}_{route.handler.__name__}_{route.method.lower()}"
        f"_{abs(hash_path(route.path)):x}",
        "summary": route.summary,
        "description": f"Permission: `{route.needs.name}`. Rate class: `{route.rate}`.",
        "tags": [route.tag],
        "parameters": _path_parameters(route) + _query_parameters(route) + _headers(route),
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(f.required for f in msgspec.structs.fields(route.body)),
            "content": {"application/json": {"schema": _schema(route.body)}},
        }
    elif route.form is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": _form_schema(route.form)}},
        }
    elif route.takes_raw_body:
        operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    if not route.needs.name.startswith("public"):
        operation["security"] = [{"bearer": []}]
        if ":" in route.needs.name:  # a permission; the others are for people
            operation["security"].append({"apiKey": []})
        if route.needs.takes_order_token:
            operation["security"].append({"orderToken": []})
    return operation


def _form_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A file, and fields beside it."""
    fields = msgspec.structs.fields(kind)
    return {
        "type": "object",
        "required": ["file", *(field.encode_name for field in fields if field.required)],
        "properties": {
            "file": {"type": "string", "format": "binary"},
            **{field.encode_name: _schema(field.type) for field in fields},
        },
    }


def hash_path(path: str) -> int:
    """A small number that tells paths apart in operation ids, the same at every start."""
    number = 0
    for character in path:
        number = (number * 31 + ord(character)) % 65_521
    return number


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            **_PARAMETERS.get(name, {"schema": {"type": "string", "maxLength": 200}}),
        }
        for name in _PATH_PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": _schema(_not_none(field.type)),
        }
        for field in msgspec.structs.fields(route.query)
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    headers = []
    if route.idempotent:
        headers.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key and body give the first answer again, for 24 hours",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                    "pattern": "^[!-~]{1,200}$",
                },
            }
        )
    if route.method == "PUT":
        headers.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "The ETag read before; 412 if it is not current",
                "schema": {"type": "string"},  # whatever is no tag of ours is not current
            }
        )
    return headers


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {
        code: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
        }
        for code, text in _ERRORS.items()
        if _can_answer(route, code)
    }
    if route.may_redirect:
        responses["302"] = {"description": "Sent on"}
    if not route.is_enveloped:
        if route.status == 302:
            return dict(sorted(responses.items()))
        responses["200"] = {"description": "As it is, without the envelope"}
        for code in ("404", "422"):
            if code in responses:
                responses[code] = {"description": _ERRORS[code]}
        return dict(sorted(responses.items()))
    responses[str(route.status)] = {
        "description": "Done",
        "content": {"application/json": {"schema": _envelope_schema(route)}},
    }
    if route.also is not None:
        responses[str(route.status)]["content"][route.also] = {"schema": {"type": "string"}}
    if route.is_public_read:
        responses["304"] = {"description": "Not modified"}
    return dict(sorted(responses.items()))


def _can_answer(route: Route, code: str) -> bool:
    """Which refusals a route can answer with."""
    if code == "413":
        return route.method != "GET"
    if code == "415":
        return route.body is not None or route.form is not None
    if code == "408":
        return route.method in ("POST", "PUT", "DELETE")
    if code == "429":
        return route.rate != "none"
    if code == "422":
        takes = (route.body, route.query, route.form)
        return any(kind is not None for kind in takes) or route.takes_raw_body
    return True


def _envelope_schema(route: Route) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "success": {"const": True},
        "data": _schema(route.answer) if route.answer is not None else {},
        "message": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
    }
    required = ["success", "data", "message", "timestamp"]
    if typing.get_origin(route.answer) is list and _has_pages(route):
        properties["pagination"] = {"$ref": _REF.format(name="Pagination")}
        required.append("pagination")
    return {"type": "object", "properties": properties, "required": required}


def _has_pages(route: Route) -> bool:
    return route.query is not None and "page" in route.query.__struct_fields__


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components(
        [kind], schema_hook=_schema_hook, ref_template=_REF
    )
    return schema


def _with_money_as_numbers(schema: Any) -> Any:
    """Decimals of answers leave as JSON numbers; msgspec's schema takes them for texts."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {"type": "number", "description": "Dinars, at most 3 decimals"}
        return {name: _with_money_as_numbers(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_with_money_as_numbers(value) for value in schema]
    return schema


def _not_none(kind: Any) -> Any:
    arguments = [a for a in typing.get_args(kind) if a is not type(None)]
    return arguments[0] if len(arguments) == 1 and type(None) in typing.get_args(kind) else kind


def _schema_hook(kind: type) -> dict[str, Any]:
    if issubclass(kind, WireType):
        return kind.schema
    raise NotImplementedError(kind)


def _error_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "error", "timestamp"],
        "properties": {
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["code", "message", "details"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "details": {"type": "object"},
                },
            },
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }


def _page_schema() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["page", "limit", "total", "totalPages"],
        "properties": {
            "page": number,
            "limit": number,
            "total": number,
            "totalPages": number,
            "nextCursor": {"type": "string"},
        },
    }
