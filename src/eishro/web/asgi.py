"""The ASGI application: one Falcon resource for each path of the route table.

Also what holds for every answer: security headers, CORS, and the error shape for paths and
methods nobody knows.
"""

from collections.abc import Sequence
from typing import Any

import falcon
import falcon.asgi

from eishro.errors import NotFound
from eishro.web.dispatch import Dispatcher, etag_of, language_of, request_id_of, send_refusal
from eishro.web.errors import BadRequest, MethodNotAllowed
from eishro.web.headers import EXPOSED_HEADERS, NO_CONTENT, matches_etag, security_headers
from eishro.web.openapi import openapi_document
from eishro.web.routes import Door, Route

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, If-None-Match, "
    "X-API-Key, X-Order-Token, X-Request-ID"
)
_CORS_SECONDS = "7200"

FalconApp = falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]


def build_app(door: Door, routes: Sequence[Route]) -> FalconApp:
    """The application for a shop that is open."""
    app: FalconApp = falcon.asgi.App(middleware=[_EveryAnswer(door)])
    app.req_options.auto_parse_qs_csv = False
    app.req_options.strip_url_path_trailing_slash = True
    for path in dict.fromkeys(route.path for route in routes):
        resource = _resource(door, [route for route in routes if route.path == path])
        app.add_route(path, resource)
    document = openapi_document(routes)
    app.add_route("/openapi.json", _Document(document))

    async def refuse(
        request: falcon.asgi.Request, response: falcon.asgi.Response, error: Any, _: Any
    ) -> None:
        _refuse(request, response, error, door)

    app.add_error_handler(falcon.HTTPError, refuse)
    return app


def _resource(door: Door, routes: Sequence[Route]) -> object:
    """An object with `on_get`, `on_post` … for the routes of one path."""
    resource = _Resource()
    for route in routes:
        dispatcher = Dispatcher(door, route)
        setattr(resource, f"on_{route.method.lower()}", _responder(dispatcher))
        if route.method == "GET":
            resource.on_head = _responder(dispatcher)
    return resource


class _Resource:
    """Responders are attached by `_resource`."""

    on_head: Any


def _responder(dispatcher: Dispatcher) -> Any:
    # Falcon wants a coroutine function, not an object that can be awaited.
    async def respond(
        request: falcon.asgi.Request, response: falcon.asgi.Response, **params: str
    ) -> None:
        await dispatcher(request, response, **params)

    return respond


class _Document:
    """`/openapi.json`, made once."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._tag = etag_of(document)

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.set_header("ETag", self._tag)
        response.set_header("Cache-Control", "no-cache")
        if matches_etag(request.get_header("If-None-Match"), self._tag):
            response.status = 304
            return
        response.content_type = "application/json"
        response.data = self._document


def _refuse(
    request: falcon.asgi.Request, response: falcon.asgi.Response, error: Any, door: Door
) -> None:
    """Falcon's own refusals in our shape."""
    response.set_header("X-Request-ID", request_id_of(request, door))
    language = language_of(request)
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        if error.headers:
            response.set_headers(error.headers)
        send_refusal(MethodNotAllowed(), language, door, response)
    elif isinstance(error, falcon.HTTPNotFound):
        send_refusal(NotFound(), language, door, response)
    else:
        send_refusal(BadRequest(), language, door, response)


class _EveryAnswer:
    """Headers that every answer has, and preflight requests."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._origins = frozenset(door.rules.cors_origins)
        self._always = security_headers(is_secure=door.rules.is_secure)

    async def process_request(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response
    ) -> None:
        if request.method == "OPTIONS" and request.get_header("Access-Control-Request-Method"):
            response.status = 204
            if self._allow_origin(request, response):
                response.set_header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
                response.set_header("Access-Control-Allow-Headers", ALLOWED_HEADERS)
                response.set_header("Access-Control-Max-Age", _CORS_SECONDS)
            response.complete = True

    async def process_response(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, _res: Any, _ok: Any
    ) -> None:
        response.set_headers(self._always)
        if not response.get_header("Cache-Control"):
            response.set_header("Cache-Control", "no-store")  # answers are their caller's
        if not response.get_header("Content-Security-Policy"):
            response.set_header("Content-Security-Policy", NO_CONTENT)
        if not response.get_header("X-Request-ID"):  # a preflight, or the document
            response.set_header("X-Request-ID", request_id_of(request, self._door))
        if request.method != "OPTIONS" and self._allow_origin(request, response):
            response.set_header("Access-Control-Expose-Headers", EXPOSED_HEADERS)

    def _allow_origin(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> bool:
        """No credentials are ever allowed: the API uses no cookies."""
        origin = request.get_header("Origin")
        if origin is None or not self._origins:
            return False
        if "*" in self._origins:
            response.set_header("Access-Control-Allow-Origin", "*")
            return True
        response.append_header("Vary", "Origin")
        if origin in self._origins:
            response.set_header("Access-Control-Allow-Origin", origin)
            return True
        return False
