"""SOAP 1.1: what is written can be read by anybody, what is read is bounded and harmless."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.adapters.soap import BYTES_MAX, read_answer, soap_call, soap_headers

NAMESPACE = "http://tempuri.org/"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


def answer(inner: str, head: str = "") -> bytes:
    return (
        f'{head}<soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>{inner}</soap:Body>'
        "</soap:Envelope>"
    ).encode()


def result(text: str, method: str = "DoPTrans") -> str:
    return (
        f'<{method}Response xmlns="{NAMESPACE}"><{method}Result>{text}</{method}Result>'
        f"</{method}Response>"
    )


@given(st.text())
def test_every_value_arrives_as_it_is_or_is_refused(value: str) -> None:
    try:
        call = soap_call(NAMESPACE, "DoPTrans", {"PW": value})
    except ValueError:
        return
    found = ET.fromstring(call).find(f".//{{{NAMESPACE}}}DoPTrans/{{{NAMESPACE}}}PW")
    assert found is not None
    # A reader of XML sees every kind of line end as one.
    assert (found.text or "") == value.replace("\r\n", "\n").replace("\r", "\n")


def test_values_cannot_become_elements() -> None:
    call = soap_call(NAMESPACE, "DoPTrans", {"PW": "</PW><Amount>0.01</Amount><PW>&\"'"})
    body = ET.fromstring(call).find(f".//{{{NAMESPACE}}}DoPTrans")
    assert body is not None
    assert [child.tag for child in body] == [f"{{{NAMESPACE}}}PW"]


@pytest.mark.parametrize("value", ["\x00", "a\x1bb", "\ud800", "\uffff"])
def test_what_no_document_may_hold_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValueError, match="^PW has"):
        soap_call(NAMESPACE, "DoPTrans", {"PW": value})


def test_the_action_is_quoted() -> None:
    headers = soap_headers(NAMESPACE, "DoPTrans")
    assert headers["SOAPAction"] == '"http://tempuri.org/DoPTrans"'
    assert headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (answer(result("OK")), ("OK", None)),
        (answer(result("")), ("", None)),
        (answer(f'<DoPTransResponse xmlns="{NAMESPACE}"><DoPTransResult /></DoPTransResponse>'),
         ("", None)),
        (answer(result("a &amp; <![CDATA[<b>]]>")), ("a & <b>", None)),
        (answer(result("12&#51;"), '<?xml version="1.0" encoding="utf-8"?>'), ("123", None)),
        (answer(result("نعم"), '<?xml version="1.0"?>'), ("نعم", None)),
        (b"\xef\xbb\xbf" + answer(result("OK")), ("OK", None)),
        (answer("<soap:Fault><faultcode>soap:Server</faultcode><faultstring>no</faultstring>"
                "</soap:Fault>"), (None, "no")),
    ],
)  # fmt: skip
def test_an_answer_is_read(body: bytes, found: tuple[str | None, str | None]) -> None:
    assert read_answer(body, NAMESPACE, "DoPTrans") == found


_BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
_THIEF = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<a",
        answer(""),
        answer(result("OK", "OnlineConfTrans")),
        answer(result("OK").replace(NAMESPACE, "http://elsewhere.example/")),
        answer(result("OK")).replace(ENVELOPE.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
        answer(result("OK") + result("PW")),
        answer(result("OK") + "<soap:Fault><faultstring>no</faultstring></soap:Fault>"),
        answer(result("<b>OK</b>")),
        answer(result("&a;"), _BOMB),
        answer(result("&b;"), _BOMB),
        answer(result("&a;"), _THIEF),
        answer(result("OK"), "<!DOCTYPE x>"),
        answer(result("OK"), '<?xml-stylesheet href="x"?>'),
        answer(result("OK"), '<?xml version="1.0" encoding="no-such-thing"?>'),
        answer(result("x" * 3_000)),
        answer("<a>" * 30 + "</a>" * 30 + result("OK")),
        answer(result("OK")) + b" " * BYTES_MAX,
        answer(result("OK")) + answer(result("OK")),
        answer(result("O\x00K")),
        result("OK").encode(),
    ],
)
def test_anything_else_is_no_answer(body: bytes) -> None:
    assert read_answer(body, NAMESPACE, "DoPTrans") is None


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes) -> None:
    read_answer(body, NAMESPACE, "DoPTrans")
    read_answer(answer(result("")) + body, NAMESPACE, "DoPTrans")
