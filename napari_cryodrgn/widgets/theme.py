"""Colours that go with napari's theme, and those that mean something everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel

PICK_COLOUR = "#ffb000"
"""The picked particle, wherever it is marked."""

INFO_COLOUR = "#4aa3df"
WARNING_COLOUR = "#e69f00"
ERROR_COLOUR = "#e5484d"

# Told apart on dark ground, first eight also by the colour-blind (Okabe and Ito, 2008, brightened).
CATEGORY_COLOURS = (
    "#56b4e9",
    "#e69f00",
    "#2fbf8f",
    "#f0e442",
    "#e07b39",
    "#cc79a7",
    "#4c7fe0",
    "#d64550",
    "#a3d65c",
    "#a98be8",
    "#5fd6d6",
    "#c9a26b",
    "#f29bb7",
    "#7f9a3b",
    "#9fb6d9",
    "#b0565f",
    "#6fbf4f",
    "#d6b7f0",
    "#3f9ea8",
    "#e8c7a0",
)
OTHER_COLOUR = "#6f7480"
MISSING_COLOUR = "#4a4e57"


@dataclass(frozen=True)
class ThemeColours:
    """Colours of a napari theme, as '#rrggbb'."""

    background: str
    foreground: str
    canvas: str
    plot: str
    text: str
    dim_text: str


def theme_colours(name: str) -> ThemeColours:
    """Colours of the napari theme of that name."""
    theme = get_theme(name)

    def in_hex(colour: object) -> str:
        return QColor(*colour.as_rgb_tuple()[:3]).name()  # type: ignore[attr-defined]

    text = QColor(in_hex(theme.text))
    background = QColor(in_hex(theme.background))
    dim = QColor(*((3 * a + 2 * b) // 5 for a, b in zip(_rgb(text), _rgb(background), strict=True)))
    dark = background.lightness() < 128
    plot = background.darker(135) if dark else QColor("white")
    return ThemeColours(
        background.name(),
        in_hex(theme.foreground),
        in_hex(theme.canvas),
        plot.name(),
        text.name(),
        dim.name(),
    )


def _rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


def dim_label(text: str = "", *, wrap: bool = True) -> QLabel:
    """A label for what is said beside the matter: a little smaller."""
    label = QLabel(text)
    label.setWordWrap(wrap)
    font = label.font()
    if font.pointSizeF() > 0:
        font.setPointSizeF(font.pointSizeF() * 0.92)
    label.setFont(font)
    return label
