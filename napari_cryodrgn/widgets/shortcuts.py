"""Keys that work in the window: bound here, and listed from where they are bound."""

from __future__ import annotations

import html
from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QMainWindow,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.latent_input import MOUSE_HELP
from napari_cryodrgn.widgets.latent_toolbar import LatentToolBar

Keys = tuple[str, str]
"""Keys or a mouse gesture, and what it does."""

HELP_KEY = "?"
NAPARIS_OWN = "napari's own keys are listed under Help › Show all key bindings."


def bind(widget: QWidget, keys: str, does: str, call: Callable[[], object]) -> QShortcut:
    """Call something when keys are pressed while the focus is in a widget or its children.

    Parameters
    ----------
    widget : QWidget
    keys : str
        As Qt writes them: "Ctrl+Z".
    does : str
        What they do, for the page of all keys.
    call : callable
    """
    shortcut = QShortcut(QKeySequence(keys), widget)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.setWhatsThis(does)
    shortcut.activated.connect(call)
    return shortcut


def groups(window: QWidget) -> dict[str, list[Keys]]:
    """What works in each of our docks in a window, by the dock's title.

    Shortcuts are those bound to its widgets; a widget that takes keys itself says so with
    `keys_help`, and mouse tools have a letter, and a line on their gestures.
    """
    # Late: docks imports the docks, which bind keys.
    from napari_cryodrgn.widgets.docks import CLASSES

    found = {}
    for dock in window.findChildren(SessionDock):
        rows = _of_tools(dock) + _of_widgets(dock)
        for shortcut in dock.findChildren(QShortcut):
            keys = shortcut.key().toString(QKeySequence.SequenceFormat.NativeText)
            rows.append((keys, shortcut.whatsThis()))
        if rows:
            place = f"{type(dock).__module__.rpartition('.')[2]}:{type(dock).__name__}"
            found[place] = list(dict.fromkeys(rows))
    return {name: found[place] for name, place in CLASSES.items() if place in found}


def _of_widgets(dock: SessionDock) -> list[Keys]:
    rows: dict[Keys, None] = {}
    for widget in dock.findChildren(QWidget):
        rows.update(dict.fromkeys(getattr(widget, "keys_help", ())))
    return list(rows)


def _of_tools(dock: SessionDock) -> list[Keys]:
    rows: list[Keys] = []
    bars = dock.findChildren(LatentToolBar)
    for bar in bars:
        for tool in bar.tools.values():
            first = tool.tooltip.partition("\n")[0]
            rows += [(tool.key.upper(), f"{tool.title}: {first}"), ("", tool.modifiers_text)]
    return [*rows, *MOUSE_HELP] if bars else rows


class ShortcutsDialog(QDialog):
    """The page of all keys and gestures. Nothing waits for it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setWindowTitle("Keyboard and mouse")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.text = QTextBrowser()
        self.text.setHtml(page(groups(window)))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)
        self.resize(640, 680)


def page(found: dict[str, list[Keys]]) -> str:
    """The page as HTML."""
    parts = [f"<p>{html.escape(NAPARIS_OWN)}</p>"]
    if not found:
        parts.insert(0, "<p>Open a dock of cryoDRGN to see what works in it.</p>")
    for title, rows in found.items():
        lines = "".join(
            f"<tr><td style='padding: 2px 18px 2px 0; white-space: nowrap'><b>{html.escape(keys)}"
            f"</b></td><td style='padding: 2px 0'>{html.escape(does)}</td></tr>"
            for keys, does in rows
        )
        parts.insert(-1, f"<h3>{html.escape(title)}</h3><table>{lines}</table>")
    return "".join(parts)


def show_shortcuts(widget: QWidget) -> ShortcutsDialog:
    """Show the page for the window that a widget is in."""
    dialog = ShortcutsDialog(widget.window())
    dialog.show()
    return dialog


class HelpKey(QShortcut):
    """Shows the page of keys wherever the focus is in a window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(QKeySequence(HELP_KEY), window)
        self.setWhatsThis("Show this page")
        self.activated.connect(self._show)

    def _show(self) -> None:
        window = self.parent()
        if isinstance(window, QWidget):
            show_shortcuts(window)


def offer_help(window: QWidget) -> None:
    """Have '?' show the page in a main window; a second call does nothing."""
    if isinstance(window, QMainWindow) and not window.findChildren(HelpKey):
        HelpKey(window)
