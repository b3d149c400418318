"""What an empty window offers: open a run, choose particles, try the sample, go on with a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.widgets.recent_runs import recent_runs
from napari_cryodrgn.widgets.theme import dim_label

TITLE = "Where would you like to begin?"
RUN_TEXT = (
    "The folder of a training, of this plugin or of cryoDRGN itself. Its particles appear here as "
    "points; click one to see its volume."
)
PARTICLES_TEXT = (
    "A .star file of RELION or a .cs file of cryoSPARC. Look at the images, then train: the latent "
    "space appears here with the first epoch."
)
SAMPLE_TEXT = (
    "A simulated complex with an arm that moves. It is made and trained on this computer, in one "
    "or two minutes the first time, and opens by itself."
)
RECENT_SHOWN = 5
LINK_STYLE = """
QPushButton { background: transparent; border: none; text-align: left; padding: 2px 4px; }
QPushButton:hover { text-decoration: underline; }
"""


class StartPage(QScrollArea):
    """Three ways to begin, each with what happens next, and the runs opened last.

    `recent_chosen` carries the folder of one of them.
    """

    recent_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_button = QPushButton("Open a run…")
        self.particles_button = QPushButton("Choose particles…")
        self.sample_button = QPushButton("Try the sample")
        self.keys_button = QPushButton("Keyboard and mouse (?)")
        self.recent_buttons: list[QPushButton] = []
        self._recent = QVBoxLayout()
        self._recent_title = _bold("Opened last")
        self._lay_out()
        self.show_recent([])

    def show_recent(self, runs: Sequence[Path]) -> None:
        """Offer these run folders, the latest first."""
        for button in self.recent_buttons:
            self._recent.removeWidget(button)
            button.deleteLater()
        self.recent_buttons = []
        for path in runs[:RECENT_SHOWN]:
            button = QPushButton(f"{path.name}   in {_shortened(path.parent)}")
            button.setToolTip(str(path))
            button.setStyleSheet(LINK_STYLE)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(partial(self.recent_chosen.emit, str(path)))
            self._recent.addWidget(button)
            self.recent_buttons.append(button)
        self._recent_title.setVisible(bool(self.recent_buttons))

    def _lay_out(self) -> None:
        page = QWidget()
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        for row, (button, text) in enumerate(
            (
                (self.run_button, RUN_TEXT),
                (self.particles_button, PARTICLES_TEXT),
                (self.sample_button, SAMPLE_TEXT),
            )
        ):
            grid.addWidget(button, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(dim_label(text), row, 1, Qt.AlignmentFlag.AlignTop)
        self.keys_button.setStyleSheet(LINK_STYLE)
        self.keys_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._recent.setSpacing(0)
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(10)
        column.addStretch(1)
        column.addWidget(_bold(TITLE))
        column.addLayout(grid)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        column.addStretch(2)
        column.addWidget(self.keys_button, 0, Qt.AlignmentFlag.AlignRight)
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


def reading_recent() -> Task[list[Path]]:
    """Look for the runs opened last: a folder on a drive that is gone may keep one waiting."""
    yield Progress(0, None, "Looking for runs opened last")
    return recent_runs()


def _bold(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _shortened(folder: Path) -> str:
    """A folder in the words of its owner: '~' for the home, the end of a long one."""
    home = Path.home()
    text = str(Path("~") / folder.relative_to(home)) if folder.is_relative_to(home) else str(folder)
    return text if len(text) <= 60 else f"…{text[-59:]}"
