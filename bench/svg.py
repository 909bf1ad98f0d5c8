"""A small writer of line charts as SVG, readable on light and on dark pages."""

import math
from collections.abc import Sequence
from html import escape

import msgspec

_WIDTH, _HEIGHT = 460, 300  # of one panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 96, 40, 46
_COLORS = ("#2a78c2", "#d2691e", "#2e8b57", "#9354b8")
_LABEL_GAP = 13  # between the labels of lines that end close together
# The page's own colours follow the reader's; the lines are chosen to be seen on both.
_STYLE = """
    .page { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e }
    .grid { stroke: #d1d9e0 } .goal { stroke: #cf222e }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 }
      .grid { stroke: #3d444d } .goal { stroke: #ff7b72 }
    }
    text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px }
"""


class Line(msgspec.Struct, frozen=True):
    """A named line through (x, y) points; x above 0, growing."""

    name: str
    points: tuple[tuple[float, float], ...]


class Panel(msgspec.Struct, frozen=True):
    """One chart: x on a logarithmic axis, y from 0; `goal` is drawn across as a dashed line."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    goal: float | None = None


def draw(panels: Sequence[Panel]) -> str:
    """The panels side by side as one SVG document.

    Raises:
        ValueError: a panel without points, or an x of 0 or less.
    """
    width = _WIDTH * max(1, len(panels))
    size = f'viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{width}" height="{_HEIGHT}"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _WIDTH} 0)">')
        parts += _panel(panel)
        parts.append("</g>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


class _Scale:
    """From values to places in a panel."""

    def __init__(self, panel: Panel) -> None:
        xs = sorted({x for line in panel.lines for x, _ in line.points})
        if not xs or xs[0] <= 0:
            raise ValueError("a panel needs points, each with an x above 0")
        self.xs = xs
        highest = max(y for line in panel.lines for _, y in line.points)
        self.step = _step(max(highest, panel.goal or 0) * 1.05)
        self.top = self.step * math.ceil(max(highest, panel.goal or 0) * 1.05 / self.step)
        self._span = math.log10(xs[-1] / xs[0]) or 1.0

    def x(self, value: float) -> float:
        share = math.log10(value / self.xs[0]) / self._span
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        return round(_HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM), 1)


def _panel(panel: Panel) -> list[str]:
    scale = _Scale(panel)
    right = _WIDTH - _RIGHT
    parts = [
        _text(_LEFT, 18, panel.title, "text title"),
        _text(_LEFT, 33, panel.y_title, "faint"),
        _text((_LEFT + right) / 2, _HEIGHT - 8, panel.x_title, "faint", "middle"),
    ]
    for number in range(round(scale.top / scale.step) + 1):
        value = number * scale.step
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{value:g}", "faint", "end"))
    for x in scale.xs:
        parts.append(_text(scale.x(x), _HEIGHT - _BOTTOM + 17, short(x), "faint", "middle"))
    if panel.goal is not None:
        y = scale.y(panel.goal)
        ends = f'x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"'
        parts.append(f'<line class="goal" {ends} stroke-dasharray="5 4"/>')
    parts += _lines(panel.lines, scale)
    return parts


def _lines(lines: Sequence[Line], scale: _Scale) -> list[str]:
    parts = []
    ends = []
    for line, color in zip(lines, _COLORS * len(lines), strict=False):
        places = [(scale.x(x), scale.y(y)) for x, y in line.points]
        path = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>' for x, y in places]
        ends.append((*places[-1], f"{line.name} {line.points[-1][1]:.2f}", color))
    # Labels from the top down, each below the one before.
    free = 0.0
    for x, y, label, color in sorted(ends, key=lambda end: end[1]):
        free = max(y + 4, free + _LABEL_GAP)
        parts.append(f'<circle cx="{x + 10}" cy="{free - 4}" r="3" fill="{color}"/>')
        parts.append(_text(x + 16, free, label, "text"))
    return parts


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def _step(highest: float) -> float:
    """A round step that divides 0 to `highest` into four parts or so."""
    rough = max(highest, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= rough * 0.999)


def short(value: float) -> str:
    """A number as an axis says it: 950, 10k, 1M."""
    for limit, mark in ((1_000_000, "M"), (1_000, "k")):
        if value >= limit:
            return f"{value / limit:g}{mark}"
    return f"{value:g}"
