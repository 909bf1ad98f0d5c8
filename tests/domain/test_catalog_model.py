"""Products as values: the variants that sizes and colours make."""

from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.domain.catalog.model import combinations
from tests.conftest import SEED

VALUES = st.lists(st.text(max_size=10), max_size=8, unique=True)


def test_a_product_that_does_not_vary_has_one_variant_without_options() -> None:
    assert combinations([], []) == [{}]


def test_one_axis_is_one_variant_for_each_value() -> None:
    assert combinations(["S", "M"], []) == [{"size": "S"}, {"size": "M"}]
    assert combinations([], ["أحمر"]) == [{"color": "أحمر"}]


def test_sizes_come_in_order_and_each_with_all_colours() -> None:
    assert [tuple(options.values()) for options in combinations(["S", "M"], ["أحمر", "أزرق"])] == [
        ("S", "أحمر"), ("S", "أزرق"), ("M", "أحمر"), ("M", "أزرق"),
    ]  # fmt: skip


@seed(SEED)
@given(VALUES, VALUES)
def test_every_combination_is_there_once(sizes: list[str], colors: list[str]) -> None:
    made = combinations(sizes, colors)
    assert len(made) == max(1, len(sizes)) * max(1, len(colors))
    assert len({tuple(sorted(options.items())) for options in made}) == len(made)
    axes = {name for name, values in (("size", sizes), ("color", colors)) if values}
    assert all(set(options) == axes for options in made)
    assert {options["size"] for options in made if sizes} == set(sizes)
    assert {options["color"] for options in made if colors} == set(colors)
