"""How the live surface is coloured: in one colour, by a difference, or by local change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_cryodrgn.imaging.volume_colour import Spread, SurfaceColouring
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume
from napari_cryodrgn.session_volume_files import centre_states
from napari_cryodrgn.session_volumes import drawn_states
from napari_cryodrgn.widgets.latent_colours import ScaleLegend
from napari_cryodrgn.widgets.latent_legend import LegendView

PLAIN, DIFFERENCE, CHANGE = "One colour", "Difference from a state", "Local change"
FIRST, NOW, MEAN = "the first state", "the state shown now", "the mean of all states"
RECENT = "along the last states"

COLORMAPS = {"difference": "PiYG", "change": "viridis"}
N_STATES = 12
"""States spread over the data that are decoded for their mean and how they vary."""

MOST_RECENT, RECENT_BYTES = 8, 256 * 2**20
"""States visited last of which the change is found, and their bytes at most."""

Kept = Callable[[], Sequence[tuple[str, ShownVolume]]]


class SurfaceColours(QWidget):
    """Choice of what the live surface is coloured by; `changed` when that is another.

    Parameters
    ----------
    session : Session
        Decodes the states that are needed.
    kept : callable
        Names and volumes of the kept states.
    """

    changed = Signal()

    def __init__(self, session: Session, kept: Kept) -> None:
        super().__init__()
        self._session, self._kept = session, kept
        self._first: ShownVolume | None = None
        self._shown: ShownVolume | None = None
        self._recent: deque[npt.NDArray[np.float32]] = deque(maxlen=MOST_RECENT)
        self._spread = Spread()
        self._wanted = 0
        self._round = 0
        self.colouring: SurfaceColouring | None = None
        self.mode, self.reference = QComboBox(), QComboBox()
        self.limit = QDoubleSpinBox()
        self.legend = LegendView()
        self.note = QLabel()
        self._lay_out()
        self.mode.activated.connect(self._choose_mode)
        self.reference.activated.connect(self._choose)
        self.limit.valueChanged.connect(self._choose_limit)
        self._show()

    @property
    def limits(self) -> tuple[float, float]:
        """Values at the two ends of the colours, in units of density."""
        scale = self._session.scale
        high = self.limit.value() * (1.0 if scale is None else scale.sigma)
        return (-high if self.mode.currentText() == DIFFERENCE else 0.0), high

    @property
    def colormap(self) -> str:
        """Name of napari's colormap that goes with it."""
        return COLORMAPS["difference" if self.mode.currentText() == DIFFERENCE else "change"]

    def take_shown(self, volume: ShownVolume) -> None:
        """Note a volume that is shown; of those that rest, what is needed later is kept."""
        if volume.moving or not volume.last:
            return
        self._shown = volume
        self._first = self._first or volume
        room = max(2, RECENT_BYTES // max(volume.data.nbytes, 1))
        if self._recent and self._recent[-1].shape != volume.data.shape:
            self._recent.clear()
        if not self._recent or self._recent[-1] is not volume.data:
            self._recent.append(volume.data)
        while len(self._recent) > room:
            self._recent.popleft()
        if self.mode.currentText() == CHANGE and self.reference.currentText() == RECENT:
            self._choose()

    def forget(self) -> None:
        """Another run or epoch: nothing of the one before is compared with."""
        self._first = self._shown = None
        self._recent.clear()
        self._spread, self._wanted = Spread(), 0
        self._round += 1
        self.mode.setCurrentText(PLAIN)
        self._choose_mode()

    def _choose_mode(self) -> None:
        mode = self.mode.currentText()
        self.reference.clear()
        if mode == DIFFERENCE:
            self.reference.addItems([FIRST, NOW, MEAN])
            for name, volume in self._kept():
                self.reference.addItem(name, volume)
        elif mode == CHANGE:
            self.reference.addItems([MEAN.replace("the mean of", "over"), RECENT])
        if mode != PLAIN:
            self.limit.blockSignals(True)
            self.limit.setValue(2.0 if mode == DIFFERENCE else 1.0)
            self.limit.blockSignals(False)
        self._choose()

    def _choose(self) -> None:
        """Find what to colour by, or begin to decode what it takes."""
        mode, name = self.mode.currentText(), self.reference.currentText()
        found: npt.NDArray[np.float32] | None = None
        kind = self.reference.currentData()
        if mode == DIFFERENCE and name != MEAN:
            volume = kind if kind is not None else self._first if name == FIRST else self._shown
            found = None if volume is None else volume.data
        elif mode == CHANGE and name == RECENT:
            spread = Spread()
            for data in self._recent:
                spread.add(data)
            found = spread.deviation
        elif mode != PLAIN:
            self._decode_states()
            found = self._spread.mean if mode == DIFFERENCE else self._spread.deviation
        if found is None:
            self.colouring = None
        else:
            self.colouring = SurfaceColouring(
                "difference" if mode == DIFFERENCE else "change", found
            )
        self._show()
        self.changed.emit()

    def _choose_limit(self) -> None:
        self._show()
        self.changed.emit()

    def _decode_states(self) -> None:
        """Ask once for states spread over the data."""
        run = self._session.run
        if self._wanted or run is None or run.latent is None or not self._session.decodable:
            return
        centres = [np.asarray(state.z, np.float32) for state in centre_states(run)]
        states = centres or drawn_states(run.latent.mu, 0)
        chosen = np.unique(np.linspace(0, len(states) - 1, N_STATES).astype(int))
        self._wanted = len(chosen)
        for number in chosen:
            self._session.decode_aside(states[number], partial(self._take_state, self._round))

    def _take_state(self, asked_in: int, volume: ShownVolume) -> None:
        if asked_in != self._round:
            return
        self._spread.add(volume.data)
        if self.mode.currentText() != PLAIN and "all states" in self.reference.currentText():
            self._choose()

    def _show(self) -> None:
        """Show what belongs to the mode, and how far it is."""
        mode = self.mode.currentText()
        for widget in (self.reference, self.limit):
            self._form.setRowVisible(widget, mode != PLAIN)
        legend = None
        if self.colouring is not None:
            high = self.limit.value()
            low = -high if mode == DIFFERENCE else 0.0
            legend = ScaleLegend("σ", self.colormap, low, high)
        self.legend.set_legend(legend)
        text = self._note_text(mode)
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _note_text(self, mode: str) -> str:
        if mode == PLAIN:
            return ""
        if "all states" in self.reference.currentText():
            if not self._session.decodable:
                return "Nothing can be decoded: the weights are missing."
            if self._spread.number < self._wanted:
                return f"Decoding states: {self._spread.number} of {self._wanted}…"
        elif self.colouring is None:
            return "Visit two states to see what changes." if mode == CHANGE else ""
        if mode == DIFFERENCE:
            return "Green: density that this state has and the other lacks. Pink: the reverse."
        return "Yellow: where the density varies most from state to state."

    def _lay_out(self) -> None:
        self.mode.addItems([PLAIN, DIFFERENCE, CHANGE])
        self.mode.setToolTip("What the colours of the live surface say")
        self.reference.setToolTip("What this state is compared with, or among which states")
        self.limit.setRange(0.05, 50.0)
        self.limit.setSingleStep(0.25)
        self.limit.setDecimals(2)
        self.limit.setSuffix(" σ")
        self.limit.setKeyboardTracking(False)
        self.limit.setToolTip(
            "Density at which the colours are strongest, in standard deviations of the maps"
        )
        self.note.setWordWrap(True)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Colour by", self.mode)
        self._form.addRow("Compared", self.reference)
        self._form.addRow("Range", self.limit)
        self._form.addRow(self.legend)
        self._form.addRow(self.note)
