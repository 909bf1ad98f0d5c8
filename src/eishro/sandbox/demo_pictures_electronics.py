"""Phones, computers and their company for the demo pictures."""

from eishro.sandbox.demo_shapes import (
    Shape,
    bend,
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

_CASE = ("main+0.25", "main", "main-0.2")
_SCREEN = ("#2b4a7f", "#6c4f9b", "#e08a73")
_INK = "#16191f"


def _wallpaper(x0: float, y0: float, x1: float, y1: float, radius: float) -> Shape:
    """A lit screen: dusk over dunes, and the reflection on its glass."""
    width, height = x1 - x0, y1 - y0
    return (
        fill(box(x0, y0, x1, y1, radius), *_SCREEN),
        fill(
            oval(
                x0 + width * 0.68,
                y0 + height * 0.5,
                min(width, height) * 0.12,
                min(width, height) * 0.12,
            ),
            "#ffe3b8",
        ),
        fill(
            bend(
                (x0, y0 + height * 0.7),
                (x0 + width * 0.35, y0 + height * 0.58),
                (x0 + width * 0.7, y0 + height * 0.72),
                (x1, y0 + height * 0.62),
            )
            + cup(x0, y0 + height * 0.7, x1, y1, radius),
            "#a2576b",
            "#5b3a6b",
        ),
        fill(
            bend(
                (x0, y0 + height * 0.84),
                (x0 + width * 0.4, y0 + height * 0.76),
                (x1, y0 + height * 0.88),
            )
            + cup(x0, y0 + height * 0.88, x1, y1, radius),
            "#4a2f5c",
            "#2c2145",
        ),
        gloss(
            (
                (x0 + width * 0.1, y0),
                (x0 + width * 0.45, y0),
                (x0 + width * 0.12, y1 - radius),
                (x0, y1 - radius),
                (x0, y0 + height * 0.3),
            ),
            0.1,
        ),
    )


def _phone() -> Shape:
    back = (
        fill(box(52, 12, 86, 82, 6), *_CASE),
        fill(box(55, 15, 70, 37, 4.5), "main-0.1", "main-0.28"),
        *(
            part
            for x, y in ((62.5, 21), (62.5, 31))
            for part in (
                fill(oval(x, y, 4.3, 4.3), "main-0.4"),
                fill(oval(x, y, 3.2, 3.2), _INK, "#39424f"),
                fill(oval(x - 1, y - 1, 0.9, 0.9), "#9fb6d8"),
            )
        ),
        fill(oval(76, 20, 1.5, 1.5), "#fff4d6"),
        gloss(((74, 12), (80, 12), (60, 82), (56, 82)), 0.16),
    )
    front = (
        fill(box(20, 16, 56, 90, 6.4), "main-0.1", "main-0.35"),
        fill(box(21, 17, 55, 89, 5.6), _INK),
        *_wallpaper(22.3, 18.3, 53.7, 87.7, 4.6),
        fill(oval(38, 21.6, 1.3, 1.3), _INK),
    )
    return (*rotated(back, 6, 60, 50), *rotated(front, -4, 40, 50))


def _tablet() -> Shape:
    return (
        fill(box(14, 20, 86, 78, 5), *_CASE),
        fill(box(15, 21, 85, 77, 4.4), _INK),
        *_wallpaper(18, 24, 82, 74, 1.6),
        fill(oval(16.6, 49, 0.6, 0.6), "#3d4653"),
        *rotated(
            (
                fill(box(28, 82, 84, 85.4, 1.7), "#ffffff", "#cfd4da"),
                fill(((84, 82), (84, 85.4), (88.5, 83.7)), "#9aa1aa"),
            ),
            -3,
        ),
    )


def _laptop() -> Shape:
    keys = tuple(
        fill(
            box(
                25 + 4.25 * column + row * 0.25,
                70.4 + 2.6 * row,
                28.4 + 4.25 * column + row * 0.25,
                72.2 + 2.6 * row,
                0.5,
            ),
            "main-0.45",
        )
        for row in range(3)
        for column in range(12)
    )
    return (
        fill(box(20, 20, 80, 67, 3), "main-0.15", "main-0.35"),
        fill(box(21, 21, 79, 66, 2.4), _INK),
        *_wallpaper(23, 23, 77, 63.5, 0.8),
        fill(((20, 67), (80, 67), (90, 82), (10, 82)), "main+0.3", "main+0.05"),
        *keys,
        fill(((42, 78.4), (58, 78.4), (58.8, 81), (41.2, 81)), "main-0.1"),
        fill(box(10, 81.6, 90, 84.6, 1.5), "main-0.05", "main-0.3"),
        fill(box(43, 81.6, 57, 82.8, 0.5), "main-0.35"),
    )


def _screen() -> Shape:
    return (
        fill(((44, 70), (56, 70), (58, 84), (42, 84)), "main-0.2", "main-0.4"),
        fill(box(30, 83, 70, 86.4, 1.7), "main", "main-0.35"),
        fill(box(8, 18, 92, 73, 2.4), "main-0.1", "main-0.4"),
        fill(box(9, 19, 91, 71, 1.6), _INK),
        *_wallpaper(10, 20, 90, 70, 0.8),
    )


def _headphones() -> Shape:
    return (
        line(
            bend((22, 58), (22, 34), (34, 20), (50, 16), (66, 20), (78, 34), (78, 58)),
            5.6,
            "main+0.15",
            "main-0.2",
        ),
        line(bend((30, 27), (38, 20.6), (50, 17.8), (62, 20.6), (70, 27)), 3.4, "main-0.35"),
        *both(
            fill(box(19.5, 42, 25, 60, 2), "metal+0.3", "metal-0.2", across=True),
            fill(box(13, 50, 28, 84, 7), "main+0.25", "main", "main-0.25"),
            fill(box(27, 52, 35, 82, 4), "main-0.3", "main-0.5", across=True),
            fill(oval(20.5, 67, 5, 9), "main+0.12", "main-0.1"),
            line(oval(20.5, 67, 5, 9), 0.6, "metal"),
            gloss(bend((15.4, 58), (15, 66), (15.6, 76)) + ((17, 76), (16.8, 58)), 0.35),
        ),
    )


def _speaker() -> Shape:
    mesh = tuple(
        fill(oval(27 + 4.2 * column + (row % 2) * 2.1, 34 + 4 * row, 0.7, 0.7), "line", alpha=0.8)
        for row in range(10)
        for column in range(11)
    )
    return (
        fill(box(20, 20, 80, 84, 13), *_CASE),
        fill(box(23, 28, 77, 78, 9), "main-0.15", "main-0.3"),
        *mesh,
        fill(oval(50, 53, 13, 13), "main-0.4"),
        fill(oval(50, 53, 11, 11), "main+0.1", "main-0.3"),
        fill(oval(50, 53, 4.6, 4.6), "main-0.1", "main+0.2"),
        *(fill(oval(x, 24.2, 1.5, 1.5), "metal+0.3") for x in (42, 50, 58)),
        fill(box(44, 79.5, 56, 81, 0.7), "#6fe0b0"),
        gloss(bend((24, 30), (23, 50), (24, 74)) + ((26, 74), (26.4, 30)), 0.3),
    )


def _camera() -> Shape:
    return (
        fill(((36, 30), (40, 20), (60, 20), (64, 30)), "main+0.1", "main-0.1"),
        fill(box(12, 29, 88, 80, 6), "metal+0.35", "metal", "metal-0.15"),
        fill(box(12, 40, 88, 72, 1), "main+0.1", "main-0.15"),
        fill(box(18, 24.5, 29, 30, 1.6), "metal+0.3", "metal-0.3", across=True),
        fill(box(70, 26, 80, 30, 1.4), "gem"),
        fill(oval(50, 55, 22, 22), "main-0.15", "main-0.5"),
        fill(oval(50, 55, 18.4, 18.4), "metal-0.1", "metal-0.5"),
        fill(oval(50, 55, 16.6, 16.6), _INK),
        fill(oval(50, 55, 12.4, 12.4), "#2c3f66", "#182238"),
        fill(oval(50, 55, 7.6, 7.6), "#5d4f8f", "#1b1f36"),
        gloss(oval(45, 49, 3.6, 2.6), 0.6),
        gloss(oval(55.6, 61, 1.4, 1.4), 0.4),
        fill(oval(78, 36, 2.4, 2.4), "#fff1c9"),
    )


def _keyboard() -> Shape:
    keys = [
        fill(
            box(12.6 + 6.3 * column, 39 + 7.2 * row, 17.8 + 6.3 * column, 45 + 7.2 * row, 1.2),
            "gem+0.2" if (row, column) in ((0, 0), (2, 11)) else "main+0.35",
            "gem" if (row, column) in ((0, 0), (2, 11)) else "main+0.15",
        )
        for row in range(3)
        for column in range(12)
    ]
    return (
        fill(box(9, 35, 91, 71, 4), "main", "main-0.3"),
        fill(box(10.6, 37, 89.4, 69, 2.6), "main-0.45"),
        *keys,
        fill(box(12.6, 60.6, 24, 66.6, 1.2), "main+0.35", "main+0.15"),
        fill(box(25.2, 60.6, 68, 66.6, 1.2), "main+0.35", "main+0.15"),
        fill(box(69.2, 60.6, 87.1, 66.6, 1.2), "main+0.35", "main+0.15"),
    )


def _mouse() -> Shape:
    body = bend((50, 18), (68, 24), (73, 46), (71, 70), (62, 84), (50, 87))
    outline = body + tuple((100 - x, y) for x, y in reversed(body))
    return (
        fill(outline, *_CASE),
        line(((50, 19), (50, 48)), 0.7, "line"),
        line(bend((28, 48), (40, 51.6), (50, 52), (60, 51.6), (72, 48)), 0.7, "line"),
        fill(box(47.2, 27, 52.8, 41, 2.8), _INK),
        fill(box(48.4, 29, 51.6, 39, 1.6), "metal+0.4", "metal-0.3"),
        gloss(bend((33, 32), (30, 48), (32, 70)) + ((36, 70), (36, 34)), 0.28),
    )


def _powerbank() -> Shape:
    cable = line(bend((62, 22), (70, 8), (84, 14), (84, 40), (90, 60)), 2.2, "main-0.25")
    return (
        cable,
        fill(box(87.4, 58, 93, 66, 1.2), "#f2f2f2", "#b8bcc2"),
        fill(box(28, 22, 72, 88, 7), *_CASE),
        fill(box(31, 25, 69, 85, 5), "main+0.12", "main-0.08"),
        *(
            fill(box(39 + 6 * i, 76, 43 + 6 * i, 77.6, 0.8), "#6fe0b0" if i < 3 else "main-0.3")
            for i in range(4)
        ),
        fill(
            ((52, 38), (43, 55), (49.4, 55), (46.6, 68), (58, 49), (51, 49), (54.6, 38)),
            "metal+0.5",
            "metal",
        ),
        gloss(((36, 25), (44, 25), (34, 85), (32, 84), (31, 60)), 0.18),
    )


def _charger() -> Shape:
    return (
        line(bend((50, 70), (50, 82), (36, 90), (20, 84), (18, 66), (26, 56)), 2.4, "main-0.12"),
        *rotated(
            (
                fill(box(24.2, 42.6, 28.2, 48, 0.6), "#c9ced6", "#8d939c"),
                fill(box(23, 47, 29.4, 57, 1.2), "main", "main-0.15"),
            ),
            12,
            26,
            56,
        ),
        fill(box(30, 26, 70, 70, 8), "main+0.15", "main", "main-0.12"),
        *both(fill(box(39, 12, 44, 27, 1), "#e2e5ea", "#8d939c", "#d3d7dd", across=True)),
        fill(box(34, 30, 66, 66, 5), "main+0.2", "main-0.02"),
        fill(box(44, 61, 56, 64, 1.5), _INK),
        gloss(bend((34, 34), (33.6, 48), (34, 62)) + ((36, 62), (36, 34)), 0.5),
    )


def _router() -> Shape:
    return (
        *both(
            fill(((18, 60), (21.5, 60), (17, 18), (14.6, 18)), "main+0.1", "main-0.3"),
            fill(((37, 60), (40, 60), (38.6, 20), (36.4, 20)), "main+0.1", "main-0.3"),
        ),
        fill(bend((12, 62), (30, 57), (50, 56), (70, 57), (88, 62)) + ((91, 78), (9, 78)), *_CASE),
        fill(box(9, 75, 91, 82, 3.4), "main-0.25", "main-0.4"),
        *(
            fill(oval(34 + 6.4 * i, 69, 1.2, 1.2), "#6fe0b0" if i != 3 else "#f2b05e")
            for i in range(6)
        ),
        gloss(bend((16, 64), (34, 60), (50, 59.4)) + ((50, 60.6), (16, 66)), 0.35),
    )


ELECTRONICS: dict[str, Shape] = {
    "camera": _camera(),
    "charger": _charger(),
    "headphones": _headphones(),
    "keyboard": _keyboard(),
    "laptop": _laptop(),
    "mouse": _mouse(),
    "phone": _phone(),
    "powerbank": moved(_powerbank(), -4, -1, 0.94),
    "router": _router(),
    "screen": _screen(),
    "speaker": moved(_speaker(), 0, -2),
    "tablet": _tablet(),
}
