"""Shapes for the demo pictures: polygons and strokes in a square of 100 by 100, y downwards.

Pure geometry; `demo_images` alone turns it into pixels. A fill is one colour or several from top
to bottom (left to right with `across`), each `#rrggbb` or a role: `main` is the product's
colour, `line` a seam that shows on it, `metal` and `gem` go with it; `main+0.2` is a fifth of the
way to white and `main-0.2` to black.
"""

import math
from collections.abc import Iterable

import msgspec

Point = tuple[float, float]
Points = tuple[Point, ...]


class Part(msgspec.Struct, frozen=True):
    """One filled polygon, or with a `width` above 0 a stroke along the points."""

    points: Points
    colors: tuple[str, ...]
    width: float = 0.0
    across: bool = False
    alpha: float = 1.0


Shape = tuple[Part, ...]


def fill(points: Points, *colors: str, across: bool = False, alpha: float = 1.0) -> Part:
    """A filled polygon."""
    return Part(points, colors, across=across, alpha=alpha)


def line(points: Points, width: float, *colors: str, alpha: float = 1.0) -> Part:
    """A stroke with round joints."""
    return Part(points, colors, width=width, alpha=alpha)


def seam(*points: Point, width: float = 0.5, alpha: float = 0.55) -> Part:
    """A thin curved line such as stitching or a fold."""
    return line(bend(*points), width, "line", alpha=alpha)


def gloss(points: Points, alpha: float = 0.35) -> Part:
    """A reflection of light."""
    return fill(points, "#ffffff", alpha=alpha)


def oval(
    x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0
) -> Points:
    """An ellipse around (x, y), or its arc between two angles in degrees, clockwise."""
    steps = max(8, round(abs(end - start) / 6))
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return tuple((x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Points:
    """A rectangle with rounded corners."""
    if radius <= 0:
        return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    corners = (
        (x1 - radius, y0 + radius, -90.0),
        (x1 - radius, y1 - radius, 0.0),
        (x0 + radius, y1 - radius, 90.0),
        (x0 + radius, y0 + radius, 180.0),
    )
    return tuple(
        point
        for x, y, start in corners
        for point in oval(x, y, radius, radius, start, start + 90.0)
    )


def cup(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    """The lower edge of a rounded box, from right to left."""
    right = oval(x1 - radius, y1 - radius, radius, radius, 0.0, 90.0)
    left = oval(x0 + radius, y1 - radius, radius, radius, 90.0, 180.0)
    return ((x1, y0), *right, *left, (x0, y0))


def bend(*points: Point) -> Points:
    """A smooth open line through the points."""
    ends = (points[0], *points, points[-1])
    return _spline(ends) + (points[-1],)


def spaced(points: Points, step: float) -> Points:
    """Points along a line at even distances, from its beginning."""
    found = [points[0]]
    for x, y in points[1:]:
        while (away := math.dist(found[-1], (x, y))) >= step:
            px, py = found[-1]
            found.append((px + (x - px) * step / away, py + (y - py) * step / away))
    return tuple(found)


def blob(*points: Point) -> Points:
    """A smooth closed outline through the points."""
    return _spline((points[-1], *points, points[0], points[1]))


def mirror(points: Points) -> Points:
    """The same outline on the other side of the middle line."""
    return tuple((100.0 - x, y) for x, y in points)


def whole(*left: Point) -> Points:
    """A symmetric outline from its left half, given from top to bottom."""
    return left + tuple(reversed(mirror(left)))


def both(*parts: Part) -> Shape:
    """The parts and their mirror images."""
    return parts + tuple(msgspec.structs.replace(p, points=mirror(p.points)) for p in parts)


def moved(parts: Iterable[Part], dx: float, dy: float, scale: float = 1.0) -> Shape:
    """The parts scaled about the centre, then shifted."""
    return tuple(
        msgspec.structs.replace(
            part,
            width=part.width * scale,
            points=tuple(
                (50 + (x - 50) * scale + dx, 50 + (y - 50) * scale + dy) for x, y in part.points
            ),
        )
        for part in parts
    )


def turned(points: Points, degrees: float, x: float = 50.0, y: float = 50.0) -> Points:
    """The points turned clockwise about (x, y)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple(
        (x + (px - x) * cos - (py - y) * sin, y + (px - x) * sin + (py - y) * cos)
        for px, py in points
    )


def rotated(parts: Iterable[Part], degrees: float, x: float = 50.0, y: float = 50.0) -> Shape:
    """The parts turned clockwise about (x, y)."""
    return tuple(
        msgspec.structs.replace(part, points=turned(part.points, degrees, x, y)) for part in parts
    )


def _spline(points: Points) -> Points:
    # Catmull-Rom; each inner segment in 8 steps.
    found = []
    for i in range(1, len(points) - 2):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[i - 1 : i + 3]
        for step in range(8):
            t = step / 8
            found.append((_between(ax, bx, cx, dx, t), _between(ay, by, cy, dy, t)))
    return tuple(found)


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
