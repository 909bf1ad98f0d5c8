"""Make the guide's pictures of the hosted page anew: `.venv/bin/python -m tests.web.pages.pictures`.

They are small: few colours, one phone's width. The fonts are those of this machine.
"""

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.web.pages.kinds import KINDS, Kind, set_out
from tests.web.pages.playground import Playground
from tests.web.pages.test_pages_in_browser import ARGUMENTS, expect_phase

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "guide" / "images"
PHONE: ViewportSize = {"width": 400, "height": 600}
COLOURS = 32
NAMES = {"ar": "متجر النخلة", "en": "Al-Nakhla"}


def make_pictures(folder: Path) -> list[str]:
    """One of every kind and of the choice after a refusal, in both languages; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[str] = []
    place = Playground()
    place.start()
    try:
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            page = browser.new_page(viewport=PHONE)
            for language, name in NAMES.items():
                place.store_name = name
                for kind in KINDS:
                    _show(page, place, kind, language)
                    made.append(_save(page, folder / f"pay-{kind.name}-{language}.png"))
                set_out(place, KINDS[0])  # the one that was refused is chosen
                page.goto(f"{place.page}/again?lang={language}")
                expect(page.locator("#start")).to_be_enabled()
                made.append(_save(page, folder / f"pay-again-{language}.png"))
            browser.close()
    finally:
        place.stop()
    return made


def _show(page: Page, place: Playground, kind: Kind, language: str) -> None:
    page.goto(f"{set_out(place, kind).page}?lang={language}")
    expect_phase(page, kind.phase)
    if page.locator("#action .primary").count():
        expect(page.locator("#action .primary")).to_be_enabled()


def _save(page: Page, path: Path) -> str:
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)
    return path.name


if __name__ == "__main__":
    make_pictures(FOLDER)
