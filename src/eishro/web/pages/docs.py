"""The API documentation page: Swagger UI from the installed `swagger-ui-py` package.

Its files are served from that package under `/docs/`; nothing is copied here and nothing is
fetched from outside. Swagger UI 5 reads OpenAPI 3.1.
"""

import functools
from importlib import resources

from eishro.web.pages.assets import Asset, tagged
from eishro.web.pages.rendering import check_nonce, json_for_html, render

DOCS_PATH = "/docs"

_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}


def render_docs_page(openapi_url: str = "/openapi.json", *, nonce: str) -> bytes:
    """The page as UTF-8 HTML, to be sent with `content_security_policy(nonce)`.

    Raises:
        ValueError: the nonce does not fit a policy.
    """
    return render(
        "docs.html",
        nonce=check_nonce(nonce),
        path=DOCS_PATH,
        options=json_for_html(
            {
                "url": openapi_url,
                "dom_id": "#swagger-ui",
                "deepLinking": True,
                "displayRequestDuration": True,
                "docExpansion": "none",
                "filter": True,
                "tryItOutEnabled": True,
                "persistAuthorization": False,
                "validatorUrl": None,  # the default asks a server outside
                "defaultModelsExpandDepth": 0,
            }
        ),
    )


def docs_asset(name: str) -> Asset | None:
    """Content, content type and strong ETag of a file of Swagger UI; None for other names."""
    return _load(name) if name in _TYPES else None


def content_security_policy(nonce: str) -> str:
    """The policy of the documentation page: this server only.

    Raises:
        ValueError: the nonce does not fit a policy.
    """
    check_nonce(nonce)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            # Swagger UI draws with style attributes.
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


@functools.cache
def _load(name: str) -> Asset:
    file = resources.files("swagger_ui") / "static" / name
    return tagged(file.read_bytes(), _TYPES[name])
