"""A press on Typst: a layout language compiled in the process, Arabic shaped and joined.

The page comes to `invoice.typ` as JSON, so no text of a merchant or buyer is ever read as markup.
The compiler is native and lets other threads run; it sees no folder but that of the layout, no
fonts of the machine, and no network. Everything heavy is imported at the first document.

Typst 0.15 (Apache-2.0); IBM Plex Sans Arabic (OFL 1.1) from `fontpkg-ibm-plex-sans-arabic`.
"""

import asyncio
import functools
import importlib.util
import io
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from eishro.domain.invoices.port import Page
from eishro.errors import Unavailable

if TYPE_CHECKING:
    from concurrent.futures import Executor

PRINTS_AT_ONCE = 2  # documents of one process; each takes a core for some 40 ms
WAITING_MAX = 100  # documents that wait for their turn; more are refused

_LAYOUT = Path(__file__).parent / "invoice.typ"


class PressBusy(Unavailable):
    """Too many documents wait to be printed."""


class TypstPress:
    """Prints a few pages at once, in threads that give way; the others wait in line."""

    def __init__(self) -> None:
        self._threads: Executor | None = None
        self._turns = asyncio.Semaphore(PRINTS_AT_ONCE)
        self._inside = 0

    async def print_page(self, page: Page) -> bytes:
        if importlib.util.find_spec("typst") is None:
            # Said here: where it is left out there are no threads to say it in.
            raise ModuleNotFoundError("No module named 'typst'", name="typst")
        if self._inside >= PRINTS_AT_ONCE + WAITING_MAX:
            raise PressBusy()
        self._inside += 1
        try:
            async with self._turns:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._room(), print_now, page)
        finally:
            self._inside -= 1

    def _room(self) -> "Executor":
        if self._threads is None:
            # Not where it is imported without threads: see above.
            from concurrent.futures import ThreadPoolExecutor

            from eishro.priority import give_way

            self._threads = ThreadPoolExecutor(PRINTS_AT_ONCE, "press", initializer=give_way)
        return self._threads

    async def aclose(self) -> None:
        """A document that is being printed ends by itself."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def print_now(page: Page) -> bytes:
    """The page as a PDF; nothing in it but the page decides its bytes."""
    import typst

    compiler = typst.Compiler(_LAYOUT.read_bytes(), root=str(_LAYOUT.parent), font_paths=_fonts())
    values = {
        "page": msgspec.json.encode(page).decode(),
        "qr": _qr_code(page.link),
        "day": _day(page.issued_at),
    }
    printed = compiler.compile(
        format="pdf",
        sys_inputs=values,
        timestamp=int(page.issued_at.timestamp()),
    )
    if not isinstance(printed, bytes):
        raise TypeError("a PDF is one file")  # the compiler's type allows for pictures of pages
    return printed


@functools.cache
def _fonts() -> Any:
    import fontpkg_ibm_plex_sans_arabic as plex
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[str(plex.ROOT / "files")])


def _qr_code(link: str) -> str:
    import segno

    out = io.BytesIO()
    segno.make(link, error="m", micro=False).save(
        out, kind="svg", scale=4, border=0, xmldecl=False, svgns=True
    )
    return out.getvalue().decode()


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d")
