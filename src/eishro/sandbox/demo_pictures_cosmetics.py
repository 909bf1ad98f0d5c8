"""Bottles, jars and brushes for the demo pictures."""

from eishro.sandbox.demo_shapes import (
    Shape,
    bend,
    blob,
    both,
    box,
    cup,
    fill,
    gloss,
    line,
    moved,
    oval,
    rotated,
)

# Light falls from the left on everything round.
_ROUND = ("main-0.12", "main+0.35", "main", "main-0.22")
_CAP = ("metal-0.15", "metal+0.5", "metal", "metal-0.3")


def _label(x0: float, y0: float, x1: float, y1: float) -> Shape:
    """A paper label with a little flower instead of words."""
    x, y = (x0 + x1) / 2, y0 + (y1 - y0) * 0.42
    petal = fill(oval(x, y - 2.2, 1.1, 2.2), "gem", alpha=0.8)
    petals = (part for turn in range(5) for part in rotated((petal,), turn * 72, x, y))
    return (
        fill(box(x0, y0, x1, y1, 1), "#fffdf8", "#f0ebe2"),
        *petals,
        fill(oval(x, y, 1, 1), "metal"),
        line(((x - 5, y1 - 5.4), (x + 5, y1 - 5.4)), 0.7, "main-0.3", alpha=0.7),
        line(((x - 3, y1 - 3.2), (x + 3, y1 - 3.2)), 0.6, "main-0.3", alpha=0.5),
    )


def _perfume() -> Shape:
    return (
        fill(box(42, 12, 58, 28, 2), *_CAP, across=True),
        fill(box(45, 27, 55, 34, 0.6), "metal-0.1", "metal+0.4", "metal-0.25", across=True),
        fill(box(22, 33, 78, 88, 6), "#ffffff", "main+0.75", alpha=0.9),
        fill(box(26, 46, 74, 84, 4), "main+0.4", "main+0.05", "main-0.1", alpha=0.92),
        line(((50, 34), (50, 80)), 0.8, "#ffffff", alpha=0.6),
        *_label(37, 50, 63, 76),
        gloss(box(25, 37, 29, 84, 2), 0.6),
        gloss(box(72, 40, 74, 82, 1), 0.35),
        line(box(22, 33, 78, 88, 6), 0.6, "main-0.1", alpha=0.4),
    )


def _lipstick() -> Shape:
    stick = (
        fill(
            ((42, 44), (42, 22)) + bend((42, 22), (47, 14), (56, 10), (58, 16)) + ((58, 44),),
            "main-0.1",
            "main+0.3",
            "main",
            "main-0.25",
            across=True,
        ),
        fill(
            bend((42, 23), (47, 15), (56, 10.4), (58, 16)) + bend((58, 16), (54, 22), (42, 23)),
            "main+0.2",
            "main-0.02",
        ),
        fill(box(40, 42, 60, 56, 0.8), *_CAP, across=True),
        line(((40, 45), (60, 45)), 0.5, "metal-0.4", alpha=0.6),
        fill(box(37, 55, 63, 90, 1.6), "#2b2a33", "#5a5866", "#33313c", "#1b1a21", across=True),
        line(((37, 58), (63, 58)), 0.8, "metal"),
    )
    cap = (
        fill(box(70, 48, 92, 90, 1.8), "#2b2a33", "#5a5866", "#33313c", "#1b1a21", across=True),
        line(((70, 86), (92, 86)), 0.8, "metal"),
    )
    return moved(stick + cap, -12, 0)


def _jar() -> Shape:
    return (
        fill(box(20, 46, 80, 82, 8), *_ROUND, across=True),
        fill(box(17, 30, 83, 49, 3), *_CAP, across=True),
        *(
            line(((21 + i * 4.15, 34), (21 + i * 4.15, 46)), 0.4, "metal-0.4", alpha=0.4)
            for i in range(15)
        ),
        fill(box(17, 30, 83, 33, 1.5), "#ffffff", alpha=0.35),
        *_label(35, 53, 65, 77),
        gloss(box(24, 53, 27.4, 77, 1.6), 0.5),
    )


def _pump() -> Shape:
    return (
        line(bend((50, 16), (42, 15.6), (33, 17), (31, 22)), 3.2, "metal+0.3", "metal-0.2"),
        fill(box(44, 12, 62, 19, 2.4), *_CAP, across=True),
        fill(box(48, 18, 53, 30, 0.6), "metal-0.2", "metal+0.4", "metal-0.3", across=True),
        fill(box(41, 28, 60, 37, 1.2), *_CAP, across=True),
        fill(
            bend((29, 54), (31, 44), (41, 36.6))
            + bend((60, 36.6), (70, 44), (72, 54))
            + cup(29, 54, 72, 92, 5),
            *_ROUND,
            across=True,
        ),
        *_label(36, 54, 65, 84),
        gloss(box(32, 50, 34.4, 86, 1.2), 0.5),
    )


def _tube() -> Shape:
    return (
        fill(((28, 10), (72, 10), (65, 72), (35, 72)), *_ROUND, across=True),
        fill(box(27.4, 8, 72.6, 14, 0.8), "main-0.1", "main-0.25"),
        *(line(((30 + i * 4, 9), (30 + i * 4, 13.4)), 0.4, "line", alpha=0.6) for i in range(11)),
        fill(box(35, 71, 65, 90, 2), *_CAP, across=True),
        *(
            line(((38 + i * 3, 74), (38 + i * 3, 88)), 0.4, "metal-0.4", alpha=0.4)
            for i in range(9)
        ),
        *_label(38, 26, 62, 56),
        gloss(((32, 16), (35, 16), (39, 69), (37.4, 69)), 0.45),
    )


def _dropper() -> Shape:
    return (
        fill(
            bend((44, 22), (43, 12), (46, 7), (50, 6), (54, 7), (57, 12), (56, 22)),
            "#3a3942",
            "#6b6a75",
            "#2a2930",
            across=True,
        ),
        fill(box(40, 21, 60, 33, 1.4), *_CAP, across=True),
        fill(box(45, 32, 55, 39, 0.4), "main-0.15", "main+0.3", "main-0.2", across=True),
        fill(
            ((45, 38), (55, 38))
            + bend((55, 38), (62, 41), (68, 48))
            + ((68, 50), (32, 50))
            + bend((32, 48), (38, 41), (45, 38)),
            *_ROUND,
            across=True,
        ),
        fill(box(32, 46, 68, 91, 4), *_ROUND, across=True),
        *_label(37, 54, 63, 84),
        gloss(box(34.4, 50, 36.6, 86, 1), 0.5),
        gloss(bend((38, 46), (42, 42.6), (46, 41)) + ((46, 42.4), (39, 47.4)), 0.5),
    )


def _palette() -> Shape:
    shades = (
        "main+0.55",
        "main+0.3",
        "main",
        "main-0.25",
        "gem+0.4",
        "metal+0.2",
        "gem-0.1",
        "metal-0.35",
    )
    pans = tuple(
        part
        for i, shade in enumerate(shades)
        for part in (
            fill(
                box(
                    17 + 17 * (i % 4), 56 + 15 * (i // 4), 32 + 17 * (i % 4), 69 + 15 * (i // 4), 2
                ),
                "#17161b",
            ),
            fill(
                box(
                    17.8 + 17 * (i % 4),
                    56.8 + 15 * (i // 4),
                    31.2 + 17 * (i % 4),
                    68.2 + 15 * (i // 4),
                    1.6,
                ),
                shade,
            ),
            gloss(
                (
                    (19 + 17 * (i % 4), 58 + 15 * (i // 4)),
                    (25 + 17 * (i % 4), 58 + 15 * (i // 4)),
                    (19 + 17 * (i % 4), 64 + 15 * (i // 4)),
                ),
                0.18,
            ),
        )
    )
    return (
        fill(box(12, 14, 88, 52, 3), "#34323b", "#1d1c22"),
        fill(box(15, 17, 85, 49, 1.6), "#eef3f7", "#b9c6d2", "#dfe7ee"),
        gloss(((30, 17), (48, 17), (30, 49), (15, 49), (15, 42)), 0.4),
        fill(box(12, 51, 88, 88, 3), "#3b3943", "#232229"),
        *pans,
        *both(fill(box(20, 49.6, 30, 53, 1), "metal+0.3", "metal-0.3")),
    )


def _brush() -> Shape:
    one = (
        fill(
            bend((44, 40), (38, 24), (42, 12), (50, 8), (58, 12), (62, 24), (56, 40)),
            "main+0.35",
            "main",
            "main-0.3",
        ),
        *(
            line(
                bend((50 + dx * 0.45, 39), (50 + dx, 24), (50 + dx * 0.7, 13)),
                0.4,
                "line",
                alpha=0.45,
            )
            for dx in (-8, -4, 0, 4, 8)
        ),
        fill(((43.6, 39), (56.4, 39), (54, 55), (46, 55)), *_CAP, across=True),
        line(((44.4, 44), (55.6, 44)), 0.5, "metal-0.4", alpha=0.6),
        fill(
            bend((46, 55), (46.4, 74), (48.6, 92), (50, 94), (51.4, 92), (53.6, 74), (54, 55)),
            "#2b2a33",
            "#65636f",
            "#33313c",
            "#1b1a21",
            across=True,
        ),
    )
    small = moved(one, 0, 0, 0.8)
    return (*rotated(moved(small, 17, 4), 14), *rotated(moved(small, -17, 4), -14), *one)


def _mascara() -> Shape:
    wand = (
        fill(box(62, 52, 74, 90, 2), *_CAP, across=True),
        line(((68, 52), (68, 38)), 1.6, "#4a4853"),
        *(
            line(((68 - w, 37 - i * 1.9), (68 + w, 36 - i * 1.9)), 0.9, "#24232a")
            for i, w in enumerate((2.6, 3.6, 4.2, 4.4, 4.4, 4.4, 4.2, 4, 3.6, 3, 2.2))
        ),
    )
    return (
        *rotated(wand, 10, 68, 60),
        fill(box(29, 10, 47, 40, 2), *_CAP, across=True),
        fill(box(29, 40, 47, 90, 2.4), *_ROUND, across=True),
        line(((29, 40), (47, 40)), 0.7, "metal-0.4"),
        *_label(32, 52, 45, 76)[:8],
        gloss(box(31, 44, 32.8, 86, 0.9), 0.5),
    )


def _polish() -> Shape:
    return (
        fill(
            bend((42, 44), (43.4, 24), (44, 10), (50, 8.4), (56, 10), (56.6, 24), (58, 44)),
            "#2b2a33",
            "#65636f",
            "#33313c",
            "#1b1a21",
            across=True,
        ),
        fill(box(43, 43, 57, 48, 0.6), *_CAP, across=True),
        fill(
            blob(
                (44, 47),
                (56, 47),
                (69, 54),
                (73, 70),
                (68, 86),
                (50, 89),
                (32, 86),
                (27, 70),
                (31, 54),
            ),
            "main+0.3",
            "main",
            "main-0.2",
        ),
        gloss(bend((33, 58), (31, 70), (34, 80)) + ((37, 80), (35.4, 70), (37, 57)), 0.5),
        gloss(oval(60, 55, 4, 1.6), 0.4),
    )


def _soap() -> Shape:
    return (
        fill(
            blob((14, 62), (22, 52), (50, 48), (78, 52), (86, 62), (80, 76), (50, 81), (20, 76)),
            "main-0.1",
            "main-0.3",
        ),
        fill(
            blob((16, 54), (24, 44), (50, 40), (76, 44), (84, 54), (76, 64), (50, 68), (24, 64)),
            "main+0.4",
            "main+0.1",
        ),
        line(oval(50, 54, 23, 8.4), 0.8, "main-0.15", alpha=0.8),
        fill(
            bend((42, 57), (45, 50), (56, 49.4), (58, 50)) + bend((58, 50), (55, 57), (42, 57)),
            "main-0.2",
            alpha=0.8,
        ),
        *(
            part
            for x, y, r in ((26, 30, 7), (40, 22, 4.4), (66, 28, 5.6), (78, 36, 3.2), (55, 33, 2.6))
            for part in (
                fill(oval(x, y, r, r), "#ffffff", "main+0.7", alpha=0.55),
                gloss(oval(x - r * 0.35, y - r * 0.4, r * 0.22, r * 0.22), 0.95),
            )
        ),
    )


COSMETICS: dict[str, Shape] = {
    "brush": _brush(),
    "dropper": _dropper(),
    "jar": _jar(),
    "lipstick": moved(_lipstick(), -2, 0),
    "mascara": moved(_mascara(), 2, 0),
    "palette": _palette(),
    "perfume": _perfume(),
    "polish": _polish(),
    "pump": _pump(),
    "soap": _soap(),
    "tube": _tube(),
}
