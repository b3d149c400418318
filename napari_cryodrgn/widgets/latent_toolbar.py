"""The row of mouse tools above the latent plot."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path

from napari.resources import get_colorized_svg, get_icon_path
from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from napari_cryodrgn.widgets.latent_tool import LatentTool, PlotForTools

TOOLS: tuple[str, ...] = (
    "explore_tool:ExploreTool",
    "selection_lasso:LassoTool",
    "selection_polygon:PolygonTool",
    "selection_rectangle:RectangleTool",
    "selection_brush:BrushTool",
    "selection_mark_tool:GoodBadTool",
    "path_tool:PathTool",
)
"""Tools, "module:Class" within this package, in the order of their buttons; the first is chosen
at first. Each is imported when a plot is made."""

ICON_SIZE = 18


def load_tools(plot: PlotForTools) -> list[LatentTool]:
    """The tools of `TOOLS`, made for a plot."""
    tools = []
    for name in TOOLS:
        module, _, kind = name.partition(":")
        tools.append(getattr(import_module(f"napari_cryodrgn.widgets.{module}"), kind)(plot))
    return tools


class LatentToolBar(QWidget):
    """Buttons of the mouse tools, one of them down.

    `chosen` carries the tool that is to have the mouse.
    """

    chosen = Signal(object)

    def __init__(self, tools: list[LatentTool], theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tools = {tool.name: tool for tool in tools}
        self.buttons: dict[str, QToolButton] = {}
        self.active: LatentTool | None = None
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for tool in tools:
            button = QToolButton()
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setToolTip(tip_of(tool))
            button.setIconSize(QSize(ICON_SIZE, ICON_SIZE))
            button.clicked.connect(partial(self.choose, tool.name))
            self._group.addButton(button)
            self.buttons[tool.name] = button
            row.addWidget(button)
        row.addStretch(1)
        self.set_theme(theme)
        self.setVisible(bool(tools))

    def choose(self, name: str, *_: object) -> None:
        """Give the mouse to a tool."""
        tool = self.tools[name]
        self.buttons[name].setChecked(True)
        if tool is not self.active:
            self.active = tool
            self.chosen.emit(tool)

    def choose_by_key(self, key: str) -> bool:
        """Give the mouse to the tool with this key; False where none has it."""
        for tool in self.tools.values():
            if tool.key and tool.key.upper() == key.upper():
                self.choose(tool.name)
                return True
        return False

    def set_theme(self, theme: str) -> None:
        """Draw the icons in the theme's colour, and the chosen one on its highlight."""
        colours = get_theme(theme)
        self.setStyleSheet(
            f"QToolButton {{ border: none; border-radius: 3px; padding: 3px; }}"
            f"QToolButton:hover {{ background: {colours.primary.as_hex()}; }}"
            f"QToolButton:checked {{ background: {colours.current.as_hex()}; }}"
        )
        for name, button in self.buttons.items():
            tool = self.tools[name]
            if not tool.icon:
                button.setText(tool.title)
            else:
                button.setIcon(themed_icon(tool.icon, theme))


def tip_of(tool: LatentTool) -> str:
    """What a tool does, with its key and its use of the mouse."""
    key = f" ({tool.key.upper()})" if tool.key else ""
    lines = [f"<b>{tool.title}</b>{key}", tool.tooltip, tool.modifiers_text]
    return "<br>".join(line for line in lines if line)


def themed_icon(icon: str, theme: str) -> QIcon:
    """An ``.svg`` file, or one of napari's icons by name, in the colour of a theme."""
    path = icon if Path(icon).suffix == ".svg" else get_icon_path(icon)
    svg = get_colorized_svg(path, get_theme(theme).icon.as_hex())
    pixmap = QPixmap(4 * ICON_SIZE, 4 * ICON_SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    return QIcon(pixmap)
