"""Pictures of the demo products, drawn when they are needed: nothing is stored or downloaded.

Flat shapes with soft light and shadow in the product's own colours, without any text. The same
arguments always give the same bytes (with the same version of Pillow). The only module that
needs Pillow; about 35 ms and 11 KB an image.
"""

import io
import zlib

from PIL import Image, ImageDraw, ImageFilter

from eishro.sandbox.demo_model import DemoProduct, DemoStore
from eishro.sandbox.demo_pictures import PICTURES
from eishro.sandbox.demo_shapes import Part, Points, Shape, moved, oval, rotated

Rgb = tuple[int, int, int]

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_SMOOTH = 2  # shapes are drawn this much larger and reduced, which makes edges smooth
_SHADOW_SCALE = 8  # the shadow is blurred on an image this much smaller
_GEMS = ("#c0264b", "#1f6fb2", "#128a63", "#7b3fa0")
_GOLD, _SILVER = "#d9a93f", "#c3c9d1"


def draw_image(
    product: DemoProduct,
    store: DemoStore,
    size: tuple[int, int] = (800, 800),
    variant: int = 0,
) -> bytes:
    """A picture of the product as WebP.

    Args:
        size: width and height in pixels, at least 64 each; the product fills the shorter side.
        variant: which picture: each shows the next of the product's colours, and the setting and
            the angle change as well.
    """
    roles = _roles(product, variant)
    shape = _posed(PICTURES[product.picture], variant)
    canvas = _backdrop(store, size, variant, _chance(product))
    side = min(size)
    corner = ((size[0] - side) / 2, (size[1] - side) / 2)
    _cast_shadow(canvas, shape, side, corner)
    for part in shape:
        _draw_part(canvas, part, roles, side / 100, corner)
    out = io.BytesIO()
    canvas.save(out, "WEBP", quality=80, method=2)
    return out.getvalue()


def _roles(product: DemoProduct, variant: int) -> dict[str, Rgb]:
    colors = [color.value for color in product.colors] or [product.tint]
    main = _rgb(colors[variant % len(colors)])
    red, green, blue = main
    is_dark = 0.3 * red + 0.59 * green + 0.11 * blue < 90
    return {
        "main": main,
        "line": _mix(main, _WHITE, 0.35) if is_dark else _mix(main, _BLACK, 0.35),
        # Cool colours go with silver, warm ones with gold.
        "metal": _rgb(_SILVER if blue >= red else _GOLD),
        "gem": _rgb(_GEMS[(_chance(product) + variant) % len(_GEMS)]),
    }


def _chance(product: DemoProduct) -> int:
    """A number that differs from product to product and never changes."""
    return zlib.crc32(product.sku.encode())


def _posed(shape: Shape, variant: int) -> Shape:
    match variant % 3:
        case 1:
            return moved(rotated(shape, -7), 0, 0, 0.94)
        case 2:
            return moved(rotated(shape, 4), 0, 1, 1.04)
        case _:
            return shape


def _backdrop(store: DemoStore, size: tuple[int, int], variant: int, chance: int) -> Image.Image:
    light, dark = (_rgb(color) for color in store.backdrop)
    corners = [_mix(light, _WHITE, 0.35), light, light, dark]
    small = Image.new("RGB", (2, 2))
    small.putdata(corners if variant % 2 == 0 else [corners[i] for i in (1, 0, 3, 2)])
    canvas = small.resize(size, Image.Resampling.BICUBIC)
    side = min(size)
    corner = ((size[0] - side) / 2, (size[1] - side) / 2)
    radius = 35 + chance % 8
    center = (45 + chance % 11, 46 + chance % 9)
    halo = oval(*center, radius, radius) if variant % 2 == 0 else _arch(radius)
    glow = Part(halo, ("#ffffff", store.backdrop[0]), alpha=0.45)
    _draw_part(canvas, glow, {}, side / 100, corner)
    return canvas


def _arch(radius: float) -> Points:
    return ((50 - radius, 100), *oval(50, 46, radius, radius, 180, 360), (50 + radius, 100))


def _cast_shadow(canvas: Image.Image, shape: Shape, side: int, corner: tuple[float, float]) -> None:
    width, height = (max(1, length // _SHADOW_SCALE) for length in canvas.size)
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    scale = side / 100 / _SHADOW_SCALE
    dx, dy = (offset / _SHADOW_SCALE for offset in corner)
    for part in shape:
        if part.alpha < 0.5:
            continue
        points = [((x + 1.2) * scale + dx, (y + 2.6) * scale + dy) for x, y in part.points]
        if part.width:
            draw.line(points, fill=105, width=max(1, round(part.width * scale)))
        else:
            draw.polygon(points, fill=105)
    mask = mask.filter(ImageFilter.GaussianBlur(2.2 * scale))
    mask = mask.resize(canvas.size, Image.Resampling.BICUBIC)
    canvas.paste((45, 35, 40), (0, 0), mask)


def _draw_part(
    canvas: Image.Image,
    part: Part,
    roles: dict[str, Rgb],
    scale: float,
    corner: tuple[float, float],
) -> None:
    points = [(x * scale + corner[0], y * scale + corner[1]) for x, y in part.points]
    margin = part.width * scale / 2 + 1
    left = max(0, int(min(x for x, _ in points) - margin))
    top = max(0, int(min(y for _, y in points) - margin))
    right = min(canvas.width, int(max(x for x, _ in points) + margin) + 1)
    bottom = min(canvas.height, int(max(y for _, y in points) + margin) + 1)
    if right <= left or bottom <= top:
        return
    size = (right - left, bottom - top)
    large = [((x - left) * _SMOOTH, (y - top) * _SMOOTH) for x, y in points]
    mask = Image.new("L", (size[0] * _SMOOTH, size[1] * _SMOOTH))
    draw = ImageDraw.Draw(mask)
    opacity = round(255 * part.alpha)
    if part.width:
        _stroke(draw, large, part.width * scale * _SMOOTH, opacity)
    else:
        draw.polygon(large, fill=opacity)
    canvas.paste(_paint(part, roles, size), (left, top), mask.reduce(_SMOOTH))


def _stroke(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], width: float, opacity: int
) -> None:
    draw.line(points, fill=opacity, width=max(1, round(width)), joint="curve")
    radius = width / 2
    if radius > 1:
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=opacity)


def _paint(part: Part, roles: dict[str, Rgb], size: tuple[int, int]) -> Image.Image:
    colors = [_color(name, roles) for name in part.colors]
    if len(colors) == 1:
        return Image.new("RGB", size, colors[0])
    strip = Image.new("RGB", (len(colors), 1) if part.across else (1, len(colors)))
    strip.putdata(colors)
    return strip.resize(size, Image.Resampling.BILINEAR)


def _color(name: str, roles: dict[str, Rgb]) -> Rgb:
    if name.startswith("#"):
        return _rgb(name)
    for sign, towards in (("+", _WHITE), ("-", _BLACK)):
        role, found, share = name.partition(sign)
        if found:
            return _mix(roles[role], towards, float(share))
    return roles[name]


def _mix(color: Rgb, towards: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, towards, strict=True))
    return red, green, blue


def _rgb(value: str) -> Rgb:
    red, green, blue = bytes.fromhex(value.removeprefix("#"))
    return red, green, blue
