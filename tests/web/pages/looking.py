"""What keeps people from using a page: looked for in the browser, told in words.

No foreign checker is needed for what these pages hold: names of controls, structure, targets that
fingers hit, and the contrast of every text that is shown (WCAG 2.2, level AA).
"""

from playwright.sync_api import Page

_FAULTS = """() => {
  const faults = [];
  const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const where = (element) => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "");
  const all = (query) => Array.from(document.querySelectorAll(query));
  if (!["ar", "en"].includes(document.documentElement.lang)) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  if (all("main").length !== 1 || all("h1").length !== 1) faults.push("no single main and h1");

  const ids = all("[id]").map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push("id twice: " + id);
  for (const element of all("[aria-describedby]"))
    for (const id of element.getAttribute("aria-describedby").split(" "))
      if (!document.getElementById(id)) faults.push(where(element) + " described by nothing");

  const named = (element) => [
    element.getAttribute("aria-label"),
    ...Array.from(element.labels || []).map((label) => label.innerText),
    element.matches("input") ? "" : element.innerText,
  ].some((text) => (text || "").trim());
  for (const element of all("a, button, input, select, textarea").filter(seen)) {
    if (!named(element)) faults.push(where(element) + " has no name");
    const target = element.type === "radio" ? element.labels[0] : element;
    const inText = element.matches("a") && getComputedStyle(element).display === "inline";
    if (!inText && target.getBoundingClientRect().height < 44)
      faults.push(where(element) + " is too small");
  }
  for (const image of all("img").filter(seen)) if (!image.alt) faults.push("picture without words");

  const light = (color) => {
    const [r, g, b] = color.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  // The head stands on the top of the body's gradient.
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      if (one.matches(".bar")) return [11, 93, 87];
      const [r, g, b, a] = parts(getComputedStyle(one).backgroundColor);
      if (a === undefined || a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    const resting = element.closest("[disabled], [aria-disabled=true], .unseen, script, noscript");
    if (!text || resting || !seen(element)) continue;
    const style = getComputedStyle(element);
    const [low, high] = [light(parts(style.color).slice(0, 3)), light(ground(element))].sort();
    const ratio = (Math.max(low, high) + 0.05) / (Math.min(low, high) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) faults.push("faint: " + text + " " + ratio.toFixed(2));
  }
  return faults;
}"""

_ON_FOCUS = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const name = element.id || element.name || element.innerText.trim().slice(0, 30);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return element === document.body ? null : [name, ring];
}"""


def faults_of(page: Page) -> list[str]:
    """Everything on the page as it is shown now that some people cannot use."""
    found: list[str] = page.evaluate(_FAULTS)
    return found


def tab_to(page: Page, name: str) -> list[str]:
    """Press Tab until the element with this id, name or text has the focus; what was passed. Each
    stop shows that it has the focus.
    """
    passed: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stop = page.evaluate(_ON_FOCUS)
        if stop is None:
            continue
        assert stop[1], f"{stop[0]} does not show its focus"
        passed.append(stop[0])
        if stop[0] == name:
            return passed
    raise AssertionError(f"{name} was not reached, only {passed}")
