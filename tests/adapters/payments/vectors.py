"""Published and computed signatures of Moamalat (MID 10081014649, TID 99179395 unless said).

Key A stands on the vendor's page, key B in the PHP SDK since 2024, key C in that SDK's tests (MID
10004188779, TID 49077229). M1, M7 and M8 equal values that others have published.
"""

from typing import NamedTuple

KEY_A = "39636630633731362D663963322D346362642D386531662D633963303432353936373431"
KEY_B = "3a488a89b3f7993476c252f017c488bb"
KEY_C = "39353638663431622D303136622D343235322D623330632D383361633838383965373965"
MID, TID = "10081014649", "99179395"
MID_C, TID_C = "10004188779", "49077229"


class Vector(NamedTuple):
    """A signed string and its hash; `is_right` is False where a known mistake made the hash."""

    name: str
    key: str
    text: str
    hash: str
    is_right: bool = True

    @property
    def fields(self) -> dict[str, str]:
        """The string taken apart again."""
        return dict(pair.split("=", 1) for pair in self.text.split("&"))


_M2 = (
    "Amount=25500&DateTimeLocalTrxn=202601151030&MerchantId=10081014649"
    "&MerchantReference=ORD-1001&TerminalId=99179395"
)
_M9 = "DateTimeLocalTrxn=20260115103045&MerchantId=10081014649&TerminalId=99179395"
_M11 = (
    "Amount=25500&Currency=434&DateTimeLocalTrxn=20260115103145&MerchantId=10081014649"
    "&TerminalId=99179395"
)
_M13 = (
    "Amount=25500&Currency=434&MerchantId=10081014649&MerchantReference=ORD-1001&PaidThrough=Card"
    "&TerminalId=99179395&TxnDate=260115103145"
)

VECTORS = (
    Vector(
        "M1 request, readme of the Node SDK",
        KEY_A,
        "Amount=100000&DateTimeLocalTrxn=202208280609&MerchantId=10081014649"
        "&MerchantReference=1&TerminalId=99179395",
        "ECE57701F40C0EF7B482E476B37118568C76D5D054243D244D5533C05E6C9AE3",
    ),
    Vector(
        "M2 request",
        KEY_A,
        _M2,
        "CC35EB1669D45AB998E92561E6912D4CF12C6220E063612A5CE5800478AE249A",
    ),
    Vector(
        "M3 request, binary key",
        KEY_B,
        _M2,
        "55D278CA1064FF444DBBB9964B0785CB7FCDCECCA8B1E05568419631318C0F5A",
    ),
    Vector(
        "M4 wrong: the key's hex text used as key",
        KEY_A,
        _M2,
        "88BB117D01598AC4F9A5971E96675480F03B6CCC694E17528E693B4793B74CAD",
        is_right=False,
    ),
    Vector(
        "M5 wrong: the key's bytes encoded as UTF-8 once more",
        KEY_B,
        _M2,
        "5A4B7FF3C71FBA333B6F453AA8B6A1FE642699CF8C77A29C0C87AE5C4C3E00CD",
        is_right=False,
    ),
    Vector(
        "M6 request, empty reference, epoch time",
        KEY_A,
        "Amount=1000&DateTimeLocalTrxn=1768473000&MerchantId=10081014649"
        "&MerchantReference=&TerminalId=99179395",
        "1CB9FD5FEA0B60CC357382790CAEAD5BCBC6F6752A17B2AE0856D3CB2957D146",
    ),
    Vector(
        "M7 completion, readme of the PHP SDK",
        KEY_C,
        "Amount=1000&Currency=434&MerchantId=10004188779&MerchantReference=test-demo"
        "&PaidThrough=Card&TerminalId=49077229&TxnDate=250303164850",
        "915B22C4E2A96DB03F755D4254F65C87486AE3B1C19B9BCDE9481836832F4822",
    ),
    Vector(
        "M8 notification, fixture of the PHP SDK",
        KEY_C,
        "Amount=1000&Currency=434&DateTimeLocalTrxn=20220903014410&MerchantId=10004188779"
        "&TerminalId=49077229",
        "5C919EA5A619D33101AA761B8DFB332C8993C867CB8E5E567770185B71ED72E6",
    ),
    Vector(
        "M9 filter and refund",
        KEY_A,
        _M9,
        "B639DC7CD352762D3CCF6C2DF40037C3B09A12D318976C2CD56E6EFE99616354",
    ),
    Vector(
        "M10 filter and refund, binary key",
        KEY_B,
        _M9,
        "054EFC6CCCE0335701BA4B78167798D1A225E440D61B8835047C3BF00E12AF4D",
    ),
    Vector(
        "M11 notification",
        KEY_A,
        _M11,
        "7D8EAD46D3100C4B6134516A5340A2D9D064B27A58E6041A9B2A97F49D9C6545",
    ),
    Vector(
        "M12 notification, binary key",
        KEY_B,
        _M11,
        "AFC74875C19CE21FBC0B7C5D3560513E1A1AE721C06077CDCBCF044272F903FE",
    ),
    Vector(
        "M13 completion",
        KEY_A,
        _M13,
        "7DDF75CE9198EFFE9D2E97A8011C7B6E97C51334D8033AEFE1387CAFB572D0FE",
    ),
    Vector(
        "M14 completion, binary key",
        KEY_B,
        _M13,
        "D78D488FE5FFFDFDB14BF0478C037F407192C4F9B5019877587FE0F82B5C142E",
    ),
)
