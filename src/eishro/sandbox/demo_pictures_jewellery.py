"""Rings, necklaces and watches for the demo pictures."""

from eishro.sandbox.demo_shapes import (
    Shape,
    bend,
    both,
    box,
    fill,
    gloss,
    line,
    mirror,
    moved,
    oval,
    rotated,
    spaced,
    turned,
)

_METAL = ("main+0.5", "main", "main-0.25", "main+0.15")


def _band(x: float, y: float, radius: float, width: float) -> Shape:
    """A metal ring seen from the front, with its inner edge and its light."""
    return (
        line(oval(x, y, radius, radius), width, *_METAL),
        line(oval(x, y, radius - width * 0.36, radius - width * 0.36), width * 0.16, "main-0.35"),
        line(
            oval(x, y, radius + width * 0.2, radius + width * 0.2, 195, 262),
            width * 0.22,
            "#ffffff",
            alpha=0.75,
        ),
        line(
            oval(x, y, radius + width * 0.2, radius + width * 0.2, 20, 70),
            width * 0.16,
            "#ffffff",
            alpha=0.45,
        ),
    )


def _stone(x: float, y: float, r: float, *colors: str) -> Shape:
    """A cut stone from above: a lit table inside facets."""
    facets = tuple(
        fill(
            ((x, y), *oval(x, y, r, r, 45.0 * i - 10, 45.0 * i + 35)),
            "#ffffff" if i % 2 else "#1d3557",
            alpha=0.12 + 0.05 * (i % 3),
        )
        for i in range(8)
    )
    return (
        fill(oval(x, y, r, r), *colors),
        *facets,
        fill(
            turned(box(x - r * 0.5, y - r * 0.5, x + r * 0.5, y + r * 0.5), 12, x, y),
            "#ffffff",
            alpha=0.4,
        ),
        gloss(oval(x - r * 0.35, y - r * 0.4, r * 0.16, r * 0.16), 0.95),
    )


_DIAMOND = ("#f8fbff", "#cfdcea", "#eef4fb")
_GEM = ("gem+0.3", "gem", "gem-0.3")


def _ring() -> Shape:
    stones = (
        _stone(50 + dx, 27 + abs(dx) * 0.24, 4.2 - abs(dx) * 0.08, *_GEM)
        for dx in (-18, 18, -9, 9, 0)
    )
    return _band(50, 56, 29, 8) + tuple(part for stone in stones for part in stone)


def _solitaire() -> Shape:
    claws = both(
        line(((44, 33), (41.5, 21)), 1.6, "main+0.2"), line(((47.5, 33), (46.5, 30)), 1.6, "main")
    )
    return (
        *_band(50, 61, 25, 5.6),
        fill(((39, 23), (61, 23), (54, 36), (46, 36)), "main", "main-0.3"),
        *_stone(50, 22, 11.5, *_DIAMOND),
        *claws,
    )


def _bangle() -> Shape:
    return (
        line(oval(50, 52, 34, 31), 9.5, *_METAL),
        line(oval(50, 52, 30.6, 27.6), 1.2, "main-0.35"),
        line(oval(50, 52, 36.8, 33.8, 190, 260), 1.8, "#ffffff", alpha=0.75),
        *(
            fill(oval(x, y, 1.7, 1.7), "gem+0.25", "gem-0.15")
            for x, y in oval(50, 52, 34.2, 31.2, 12, 168)[::2]
        ),
        *(
            fill(oval(x, y, 0.7, 0.7), "main-0.4")
            for x, y in oval(50, 52, 34.2, 31.2, 192, 348)[::2]
        ),
    )


def _chain(*points: tuple[float, float]) -> Shape:
    links = spaced(bend(*points), 2.9)
    return tuple(line(oval(x, y, 1.15, 1.15), 0.7, "main+0.2", "main-0.2") for x, y in links)


def _necklace() -> Shape:
    return (
        line(
            bend((20, 10), (24, 34), (37, 52), (50, 58), (63, 52), (76, 34), (80, 10)),
            0.8,
            "main-0.15",
        ),
        *_chain((20, 10), (24, 34), (37, 52), (50, 58), (63, 52), (76, 34), (80, 10)),
        line(oval(50, 61.5, 2.4, 2.4), 1.2, *_METAL),
        fill(bend((50, 63), (40, 76), (43, 86), (50, 89.5), (57, 86), (60, 76), (50, 63)), *_METAL),
        *_stone(50, 79.5, 6.4, *_GEM),
        gloss(bend((45, 71), (42, 78), (43, 83)) + ((43.6, 83), (44, 78)), 0.6),
    )


def _pearls() -> Shape:
    half = spaced(bend((50, 70), (34, 64), (20, 44), (16, 14)), 6.9)
    strand = half + mirror(half[1:])
    pearls = tuple(
        part
        for x, y in strand
        for part in (
            fill(oval(x, y, 3.5, 3.5), "main+0.65", "main+0.2", "main-0.12"),
            gloss(oval(x - 1.1, y - 1.2, 0.9, 0.9), 0.95),
        )
    )
    return (
        *pearls,
        fill(oval(50, 78, 4.6, 4.6), "metal+0.5", "metal-0.2"),
        fill(oval(50, 86, 7, 7), "main+0.75", "main+0.25", "main-0.15"),
        gloss(oval(47.6, 83.4, 2, 1.7), 0.95),
    )


def _earrings() -> Shape:
    one = (
        line(oval(31, 19, 3.6, 5, 160, 400), 1.1, "main"),
        *_stone(31, 28, 5, *_DIAMOND),
        line(((31, 33), (31, 39)), 1.0, "main"),
        fill(bend((31, 38), (21, 58), (24, 74), (31, 79), (38, 74), (41, 58), (31, 38)), *_METAL),
        fill(
            bend((31, 46), (25.5, 60), (27, 69), (31, 72), (35, 69), (36.5, 60), (31, 46)),
            "gem+0.35",
            "gem",
            "gem-0.25",
        ),
        gloss(bend((29, 54), (27.4, 61), (28, 66)) + ((29, 66), (29, 60)), 0.7),
        *(line(((x, 77), (x, 83)), 0.7, "main-0.1") for x in (27.5, 31, 34.5)),
        *(fill(oval(x, 84.6, 1.7, 1.7), *_METAL) for x in (27, 31, 35)),
    )
    return both(*one)


def _brooch() -> Shape:
    petal = (
        fill(bend((50, 48), (40, 34), (43, 20), (50, 15), (57, 20), (60, 34), (50, 48)), *_METAL),
        fill(bend((50, 44), (45, 33), (50, 21), (55, 33), (50, 44)), "gem+0.3", "gem", "gem-0.25"),
        line(((50, 45), (50, 24)), 0.5, "#ffffff", alpha=0.6),
    )
    petals = (part for turn in range(6) for part in rotated(petal, turn * 60))
    return (*petals, fill(oval(50, 50, 8.6, 8.6), *_METAL), *_stone(50, 50, 6.4, *_DIAMOND))


def _watch() -> Shape:
    marks = tuple(
        line(turned(((50, 30.5), (50, 33.5 if hour % 3 else 35)), hour * 30), 0.9, "main-0.3")
        for hour in range(12)
    )
    return (
        fill(((41, 6), (59, 6), (62, 30), (38, 30)), "main-0.3", "main", across=True),
        fill(((38, 70), (62, 70), (59, 94), (41, 94)), "main-0.3", "main", across=True),
        *(
            line(
                ((41.4 - i * 0.5, 10 + 5 * i), (58.6 + i * 0.5, 10 + 5 * i)), 0.5, "line", alpha=0.6
            )
            for i in range(4)
        ),
        *(
            line(
                ((39.4 + i * 0.5, 75 + 5 * i), (60.6 - i * 0.5, 75 + 5 * i)), 0.5, "line", alpha=0.6
            )
            for i in range(4)
        ),
        fill(box(73, 47, 79, 53, 1.4), "metal+0.3", "metal-0.3"),
        fill(oval(50, 50, 26, 26), "metal+0.6", "metal", "metal-0.3"),
        fill(oval(50, 50, 22.6, 22.6), "metal-0.35"),
        fill(oval(50, 50, 21.6, 21.6), "#fdfbf7", "#e6e1d8"),
        *marks,
        line(((50, 50), (41, 42)), 1.6, "#2b2f36"),
        line(((50, 50), (62, 38)), 1.1, "#2b2f36"),
        line(((47, 57), (53, 33)), 0.5, "gem"),
        fill(oval(50, 50, 1.5, 1.5), "metal-0.2"),
        gloss(oval(50, 50, 21, 21, 150, 250), 0.16),
    )


JEWELLERY: dict[str, Shape] = {
    "bangle": _bangle(),
    "brooch": _brooch(),
    "earrings": _earrings(),
    "necklace": _necklace(),
    "pearls": moved(_pearls(), 0, -2),
    "ring": moved(_ring(), 0, -2),
    "solitaire": _solitaire(),
    "watch": _watch(),
}
