"""The documentation page as text: own files only, hostile addresses, policy."""

import re

import pytest

from eishro.web.pages import docs

NONCE = "dGVzdC1ub25jZS0x"


def test_the_page_asks_for_nothing_but_listed_files() -> None:
    html = docs.render_docs_page(nonce=NONCE).decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith(f"{docs.DOCS_PATH}/")
        assert docs.docs_asset(address.removeprefix(f"{docs.DOCS_PATH}/")) is not None


def test_the_description_is_found_where_the_caller_says() -> None:
    assert '"url":"/openapi.json"' in docs.render_docs_page(nonce=NONCE).decode()
    hostile = "/x</script><img src=x>"
    html = docs.render_docs_page(hostile, nonce=NONCE).decode()
    assert "<img" not in html
    assert "/x\\u003c/script\\u003e" in html


def test_every_script_carries_the_nonce() -> None:
    html = docs.render_docs_page(nonce=NONCE).decode()
    assert html.count("<script") == html.count(f'nonce="{NONCE}"') == 3


def test_the_installed_swagger_ui_is_served_with_types_and_tags() -> None:
    script = docs.docs_asset("swagger-ui-bundle.js")
    style = docs.docs_asset("swagger-ui.css")
    assert script is not None
    assert style is not None
    assert b"SwaggerUIBundle" in script[0]
    assert script[1].startswith("text/javascript")
    assert style[1].startswith("text/css")
    assert script == docs.docs_asset("swagger-ui-bundle.js")
    assert script[2] != style[2]


@pytest.mark.parametrize(
    "name", ["", "LICENSE", "swagger-editor.js", "../core.py", "static/swagger-ui.css"]
)
def test_other_files_of_the_package_stay_closed(name: str) -> None:
    assert docs.docs_asset(name) is None


def test_the_policy_knows_this_server_alone() -> None:
    policy = docs.content_security_policy(NONCE)
    assert "http" not in policy
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'self' 'nonce-{NONCE}';" in policy
    assert "unsafe-eval" not in policy
    with pytest.raises(ValueError, match="nonce"):
        docs.content_security_policy("'; script-src *")
