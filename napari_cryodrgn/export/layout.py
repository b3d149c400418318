"""Pictures put together: text, tiles, frames, a scale bar."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from napari_cryodrgn.export.palette import BACKGROUND, DIM_TEXT, TEXT, Colour

Picture = npt.NDArray[np.uint8]

SMALL, NORMAL, LARGE = 13, 16, 22
MARGIN = 12


def text_width(text: str, size: int) -> int:
    """Width of a line of text, px."""
    return math.ceil(_font(size).getlength(text))


def write(
    picture: Picture,
    text: str,
    place: tuple[float, float],
    *,
    size: int = NORMAL,
    colour: Colour = TEXT,
    anchor: str = "la",
) -> Picture:
    """A copy of a picture with a line of text.

    Parameters
    ----------
    picture : (height, width, 3) uint8 array
        The picture.
    text : str
        What to write.
    place : (x, y)
        Where, px.
    size : int
        Height of the letters, px.
    colour : (r, g, b)
        Their colour.
    anchor : str
        Which point of the text lies at `place`, in Pillow's letters: 'la' upper left,
        'ma' upper middle, 'mm' middle, 'ra' upper right, 'ls' on the line at the left.
    """
    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), _font(size)
    plain = text.replace("Å", "A")
    draw.text(place, plain, fill=colour, font=font, anchor=anchor)
    # Pillow's own font lacks this letter, and every picture needs it.
    left, base = _start(plain, place, size, anchor)
    for position in (i for i, letter in enumerate(text) if letter == "Å"):
        x = left + font.getlength(plain[:position]) + font.getlength("A") / 2
        y, radius = base - 0.86 * size, 0.11 * size
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
    return np.asarray(image)


def captioned(picture: Picture, caption: str, note: str = "") -> Picture:
    """A picture with a line below it, and a dimmer second one where there is a note."""
    width = picture.shape[1]
    strip = blank(width, NORMAL + (SMALL + 6 if note else 0) + 14)
    strip = write(strip, caption, (width / 2, 6), anchor="ma")
    if note:
        strip = write(
            strip, note, (width / 2, NORMAL + 12), size=SMALL, colour=DIM_TEXT, anchor="ma"
        )
    return np.concatenate([picture, strip])


def titled(picture: Picture, title: str, note: str = "") -> Picture:
    """A picture with a title above it, in a margin."""
    height, width = picture.shape[:2]
    top = LARGE + 2 * MARGIN + (SMALL + 6 if note else 0)
    framed = blank(width + 2 * MARGIN, height + top + MARGIN)
    framed[top : top + height, MARGIN : MARGIN + width] = picture
    framed = write(framed, title, (MARGIN + 2, MARGIN), size=LARGE)
    if note:
        place = (MARGIN + 2, MARGIN + LARGE + 8)
        framed = write(framed, note, place, size=SMALL, colour=DIM_TEXT)
    return framed


def tiled(pictures: Sequence[Picture], columns: int, gap: int = MARGIN) -> Picture:
    """Pictures of one size in rows, from left to right."""
    height, width = pictures[0].shape[:2]
    rows = math.ceil(len(pictures) / columns)
    sheet = blank(columns * (width + gap) - gap, rows * (height + gap) - gap)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def with_scale_bar(picture: Picture, angstrom_per_pixel: float) -> Picture:
    """A picture with a bar of a round length at the lower left.

    Parameters
    ----------
    picture : (height, width, 3) uint8 array
        An orthographic picture.
    angstrom_per_pixel : float
        Its scale.
    """
    height, width = picture.shape[:2]
    longest = 0.3 * width * angstrom_per_pixel
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(factor * power for factor in (1, 2, 5) if factor * power <= longest)
    pixels = round(length / angstrom_per_pixel)
    marked = picture.copy()
    marked[height - 16 : height - 13, 14 : 14 + pixels] = TEXT
    place = (14 + pixels / 2, height - 21)
    return write(marked, f"{length:g} Å", place, size=SMALL, anchor="ms")


def blank(width: int, height: int, colour: Colour = BACKGROUND) -> Picture:
    """An empty picture."""
    return np.full((height, width, 3), colour, np.uint8)


def _start(text: str, place: tuple[float, float], size: int, anchor: str) -> tuple[float, float]:
    """Left end of a text's base line, for an anchor of Pillow's."""
    left, _top, _right, bottom = _font(size).getbbox(text or "A", anchor=anchor)
    # The base line is where letters without tails end.
    tail = _font(size).getbbox("A", anchor="ls")[3]
    descent = _font(size).getbbox(text or "A", anchor="ls")[3] - tail
    return place[0] + left, place[1] + bottom - descent


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
