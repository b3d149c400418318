"""What a gesture does to the selection: which keys ask for it, its words and its colour."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.latent.selection import Combine

COLOURS: dict[Combine, str] = {
    "replace": "#4aa3df",
    "add": "#2fbf8f",
    "subtract": "#e5484d",
    "intersect": "#a98be8",
}
"""Of the outline while it is drawn, and of the words that say what it will do."""

WORDS: dict[Combine, str] = {
    "replace": "selects anew",
    "add": "adds to the selection",
    "subtract": "takes away from the selection",
    "intersect": "keeps only what lies inside of the selection",
}

MODIFIERS_TEXT = "Shift: add · Alt: take away · both: keep inside"


def combine_of(modifiers: Collection[str]) -> Combine:
    """What the keys held down ask for.

    Parameters
    ----------
    modifiers : collection of str
        "Shift", "Alt", "Control". Control counts as Alt: many window managers move the whole
        window when Alt is held, so that an Alt drag never arrives.
    """
    away = "Alt" in modifiers or "Control" in modifiers
    if "Shift" in modifiers:
        return "intersect" if away else "add"
    return "subtract" if away else "replace"


def held_modifiers() -> frozenset[str]:
    """The keys of "Shift", "Alt" and "Control" that are held down now."""
    held = QApplication.keyboardModifiers()
    flags = {
        "Shift": Qt.KeyboardModifier.ShiftModifier,
        "Alt": Qt.KeyboardModifier.AltModifier,
        "Control": Qt.KeyboardModifier.ControlModifier,
    }
    return frozenset(name for name, flag in flags.items() if held & flag)
