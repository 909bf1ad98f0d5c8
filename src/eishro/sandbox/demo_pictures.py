"""Every picture of the demo stores by its name."""

from eishro.sandbox.demo_pictures_cosmetics import COSMETICS
from eishro.sandbox.demo_pictures_electronics import ELECTRONICS
from eishro.sandbox.demo_pictures_fashion import FASHION
from eishro.sandbox.demo_pictures_jewellery import JEWELLERY
from eishro.sandbox.demo_shapes import Shape

PICTURES: dict[str, Shape] = FASHION | JEWELLERY | ELECTRONICS | COSMETICS
