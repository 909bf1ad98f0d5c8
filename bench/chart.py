"""The growth part as a picture: what one request costs when there is more of everything."""

from collections.abc import Sequence

from bench.growth import CLIENTS, WORKS, Point
from bench.svg import Line, Panel, draw


def growth_chart(points: Sequence[Point], goal: float) -> str | None:
    """SVG with a panel for products and one for orders; None where there is nothing to show."""
    by_products = [point for point in points if not point.orders]
    by_orders = [point for point in points if point.orders]
    panels = [
        _panel(axis, found, goal)
        for axis, found in (("products", by_products), ("orders", by_orders))
        if found
    ]
    return draw(panels) if panels else None


def _panel(axis: str, points: Sequence[Point], goal: float) -> Panel:
    lines = []
    for work in WORKS:
        found = [point for point in points if point.work == work and point.per_second]
        if found:
            first = found[0].per_second
            places = tuple((float(getattr(p, axis)), first / p.per_second) for p in found)
            lines.append(Line(work, places))
    return Panel(
        title=f"Time of a request as {axis} grow",
        x_title=f"{axis} ({CLIENTS} clients, cache off)",
        y_title="times that of the smallest",
        lines=tuple(lines),
        goal=goal,
    )
