"""Where a payer's browser may be led back to after paying.

A guest starts payments, so an address from the request must not make this server lead people
anywhere: it is one of this server, of a storefront that the platform names (settings), or of a
site that the store names (its own settings), by https. A developer's own machine will do in
development.
"""

import re
from urllib.parse import urlsplit

import msgspec

from eishro.addresses import origin_of
from eishro.domain.stores.model import StoreSettings
from eishro.errors import Invalid, Words
from eishro.flows.shop import Rules, Shop

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PATH = re.compile(r"/(?![/\\])[!-~]*")
_PORTS = {"https": ":443", "http": ":80"}
_NOT_HTTPS = Words(
    "must begin with https://, or be a path on this server",
    "يجب أن يبدأ بـ https:// أو أن يكون مسارا على هذا الخادم",
)
_NOT_A_SITE = Words(
    "must be a site such as https://shop.example.ly, without a path",
    "يجب أن يكون موقعا مثل https://shop.example.ly بلا مسار",
)


def choose(shop: Shop, settings: StoreSettings, asked: str | None) -> str | None:
    """Where to lead the payer back to: as asked for, else as the store says (None: nowhere).

    Raises:
        Invalid: it leads to nobody's site.
    """
    if asked is None:
        return allowed(shop.rules, settings, settings.return_url)
    if allowed(shop.rules, settings, asked) is None:
        # Those of the platform are not told to everybody.
        ours = msgspec.structs.replace(shop.rules, storefronts=())
        sites = ", ".join(sorted(_sites(ours, settings)))
        raise Invalid(
            {
                "returnUrl": Words(
                    f"must be a path on this server or lie on one of: {sites}; a store names "
                    "more in settings.returnOrigins",
                    f"يجب أن يكون مسارا على هذا الخادم أو ضمن أحد المواقع: {sites}؛ ويضيف المتجر "
                    "غيرها في settings.returnOrigins",
                )
            }
        )
    return asked


def allowed(rules: Rules, settings: StoreSettings, url: str | None) -> str | None:
    """The address if people may be led there now, else None: names are taken back, too."""
    if url is None or _is_path(url):
        return url
    site = _site_of(url)
    is_own = site is not None and site in _sites(rules, settings)
    return url if is_own or _is_developer_s(rules, url) else None


def page_of_shop(rules: Rules, settings: StoreSettings, url: str | None) -> str | None:
    """The whole address that leads back to the shop, if people may be led there now: a path lies
    on the first site that the store names. None where it names none.
    """
    found = allowed(rules, settings, url)
    if found is None or not _is_path(found):
        return found
    named = [*settings.return_origins, *([settings.return_url] if settings.return_url else [])]
    sites = (_site_of(one) for one in named if not _is_path(one) and _is_safe(rules, one))
    site = next((one for one in sites if one is not None), None)
    return None if site is None else site + found


def check_settings(shop: Shop, settings: StoreSettings) -> None:
    """A store names whole sites of its own, reached by https.

    Raises:
        Invalid
    """
    faults: dict[str, Words] = {}
    for number, origin in enumerate(settings.return_origins):
        if origin_of(origin) != origin or not _is_safe(shop.rules, origin):
            faults[f"settings.returnOrigins[{number}]"] = _NOT_A_SITE
    url = settings.return_url
    if url is not None and not _is_path(url) and not _is_safe(shop.rules, url):
        faults["settings.returnUrl"] = _NOT_HTTPS
    if faults:
        raise Invalid(faults)


def _sites(rules: Rules, settings: StoreSettings) -> set[str]:
    named = [*rules.storefronts, *settings.return_origins]
    if settings.return_url is not None and not _is_path(settings.return_url):
        named.append(settings.return_url)
    # Our own is the operator's word; others must be safe, whenever they were written.
    sites = {_site_of(one) for one in named if _is_safe(rules, one)}
    return {site for site in (*sites, _site_of(rules.public_url)) if site is not None}


def _is_safe(rules: Rules, url: str) -> bool:
    site = _site_of(url)
    is_ours = site is not None and site == _site_of(rules.public_url)
    return is_ours or (site or "").startswith("https://") or _is_developer_s(rules, url)


def _is_developer_s(rules: Rules, url: str) -> bool:
    site = _site_of(url) or ""
    name = site.partition("://")[2]
    host = name if name.endswith("]") else name.rpartition(":")[0] or name
    return rules.is_development and site.startswith("http://") and host in _LOOPBACK


def _is_path(url: str) -> bool:
    return _PATH.fullmatch(url) is not None


def _site_of(url: str) -> str | None:
    """Scheme, host and port as browsers compare them; None where they could read another."""
    origin = origin_of(url)
    if origin is None or "\\" in url or "@" in urlsplit(url).netloc:
        return None
    origin = origin.lower()
    return origin.removesuffix(_PORTS[origin.partition(":")[0]])
