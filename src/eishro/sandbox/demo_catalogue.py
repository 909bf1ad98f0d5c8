"""The demo stores: four shops as one finds them in Libya, invented from name to telephone.

Plain values, nothing is written here; whoever seeds a database creates them through the same
flows as a merchant. The pictures come from `demo_images.draw_image`.
"""

from eishro.sandbox.demo_cosmetics import COSMETICS_STORE
from eishro.sandbox.demo_electronics import ELECTRONICS_STORE
from eishro.sandbox.demo_fashion import FASHION_STORE
from eishro.sandbox.demo_jewellery import JEWELLERY_STORE
from eishro.sandbox.demo_model import (
    DemoCategory,
    DemoColor,
    DemoProduct,
    DemoStore,
    DemoVariant,
)

__all__ = ["STORES", "DemoCategory", "DemoColor", "DemoProduct", "DemoStore", "DemoVariant"]

STORES: tuple[DemoStore, ...] = (
    FASHION_STORE,
    JEWELLERY_STORE,
    ELECTRONICS_STORE,
    COSMETICS_STORE,
)
