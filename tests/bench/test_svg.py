from xml.etree import ElementTree as ET

import pytest

from bench.chart import growth_chart
from bench.svg import Line, Panel, draw, short
from tests.bench import made_up

SVG = "{http://www.w3.org/2000/svg}"


def panel(*points: tuple[float, float], name: str = "product") -> Panel:
    return Panel("Title", "x", "y", (Line(name, points),), goal=2.0)


def test_a_chart_is_well_formed_and_says_its_words() -> None:
    drawn = draw([panel((10_000, 1.0), (1_000_000, 1.5), name="a < b & c")])

    root = ET.fromstring(drawn)
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"Title", "x", "y", "10k", "1M", "a < b & c 1.50"} <= set(words)


def test_more_is_higher_and_later_is_further_right() -> None:
    root = ET.fromstring(draw([panel((10, 1.0), (100, 1.5), (1_000, 2.0))]))

    (line,) = root.iter(f"{SVG}polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    assert xs == sorted(xs)
    assert ys == sorted(ys, reverse=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])  # each a tenfold


def test_text_follows_the_readers_colours() -> None:
    drawn = draw([panel((1, 1.0))])

    assert "prefers-color-scheme: dark" in drawn
    root = ET.fromstring(drawn)
    assert all("class" in element.attrib for element in root.iter(f"{SVG}text"))


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    lines = tuple(Line(name, ((1, 1.0), (10, 1.0))) for name in ("one", "two", "three"))

    root = ET.fromstring(draw([Panel("t", "x", "y", lines)]))

    heights = sorted(
        float(element.attrib["y"])
        for element in root.iter(f"{SVG}text")
        if (element.text or "").endswith("1.00")
    )
    assert len(heights) == 3
    assert all(below - above >= 12 for above, below in zip(heights, heights[1:], strict=False))


@pytest.mark.parametrize("points", [(), ((0, 1.0),)])
def test_what_cannot_be_drawn_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="points"):
        draw([panel(*points)])


def test_numbers_are_short() -> None:
    assert [short(n) for n in (950, 10_000, 1_500, 1_000_000)] == ["950", "10k", "1.5k", "1M"]


def test_growth_is_told_in_times_of_the_smallest() -> None:
    points = [
        made_up.point("list", 10_000, 1_000),
        made_up.point("list", 1_000_000, 500),
        made_up.point("order", 10_000, 1_000, orders=10_000),
    ]

    chart = growth_chart(points, goal=2.0)

    assert chart is not None
    assert "list 2.00" in chart
    assert "as products grow" in chart
    assert "as orders grow" in chart
    assert growth_chart([], goal=2.0) is None
