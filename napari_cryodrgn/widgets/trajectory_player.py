"""Plays the frames of a path: slider, play, loop and ping-pong, speed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.widgets.trajectory_frames import FrameStore

PLAYS = (("Once", "once"), ("Loop", "loop"), ("Back and forth", "ping-pong"))
SETTLE = 250
"""Time after the slider was moved last until the frame counts as settled, ms."""


class FramePlayer(QWidget):
    """Shows frames as volumes of the session; `frame_changed` carries the number, -1 for none."""

    frame_changed = Signal(int)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.frames = FrameStore(session)
        self.name = ""
        self._step = 1
        self._shown: int | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.mode_box = QComboBox()
        self.speed = QDoubleSpinBox()
        self.where = QLabel()
        self.status = dim_label()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(SETTLE)
        self._rest.timeout.connect(self._settle)
        self.frames.decoded.connect(self._hear_frame)
        self.slider.valueChanged.connect(self._go)
        self.play_button.toggled.connect(self._play)
        self.speed.valueChanged.connect(self._set_speed)
        self._lay_out()
        self._tell()

    @property
    def number(self) -> int:
        """The frame that the slider is at."""
        return self.slider.value()

    @property
    def shown(self) -> int | None:
        """The frame that the window shows: the nearest one while the slider's is decoded."""
        return self._shown

    @property
    def mode(self) -> str:
        """One of "once", "loop", "ping-pong"."""
        return str(self.mode_box.currentData())

    def set_frames(self, name: str, z: npt.NDArray[np.float32] | None) -> None:
        """Play these frames (n, zdim) of the path of this name from now on, or none."""
        same, self.name = name == self.name, name
        self.frames.set_z(z)
        self._shown = None
        self._rest.stop()
        count = len(self.frames)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(count - 1, 0))
        if not same:
            self.slider.setValue(0)
        self.slider.blockSignals(False)
        if count < 2:
            self.play_button.setChecked(False)
        elif self.play_button.isChecked():
            self.frames.run(self.number)
        possible = count > 1 and self._session.decodable
        for widget in (self.slider, self.play_button):
            widget.setEnabled(possible)
        self._tell()

    def stop(self) -> None:
        """Play no more, and decode no more."""
        self._timer.stop()
        self._rest.stop()
        self.frames.stop()

    def go_to_share(self, share: float) -> None:
        """Go to the frame at a share of the frames, 0 to 1."""
        if self.slider.isEnabled():
            self.slider.setValue(round(share * (len(self.frames) - 1)))

    def _play(self, on: bool) -> None:
        self.play_button.setText("Pause" if on else "Play")
        if not on:
            self._timer.stop()
            self._settle()
            return
        if self.mode == "once" and self.number == len(self.frames) - 1:
            self.slider.setValue(0)
        self._step = 1
        self._rest.stop()
        self.frames.run(self.number)
        self._show_now(moving=True)
        self._timer.start(round(1000 / self.speed.value()))

    def _set_speed(self, speed: float) -> None:
        if self._timer.isActive():
            self._timer.start(round(1000 / speed))

    def _tick(self) -> None:
        """On to the next frame, once that has been decoded."""
        following = self._following()
        if following is None:
            self.play_button.setChecked(False)
        elif self.frames.volume(following) is not None:
            self.slider.setValue(following)
        else:
            self.frames.run(following)

    def _following(self) -> int | None:
        last = len(self.frames) - 1
        number = self.number + self._step
        if 0 <= number <= last:
            return number
        if self.mode == "loop":
            return 0
        if self.mode == "ping-pong":
            self._step = -self._step
            return min(max(self.number + self._step, 0), last)
        return None

    def _go(self, number: int) -> None:
        if not self._timer.isActive():
            self.frames.run(number)
            self._rest.start()
        self._show_now(moving=True)
        self._tell()

    def _settle(self) -> None:
        """The slider rests: the frame counts as a state that was looked at."""
        self._rest.stop()
        if not self.slider.isSliderDown() and self._shown is not None:
            self._show(self._shown, moving=False)

    def _show_now(self, *, moving: bool) -> None:
        """Show the slider's frame, or of those decoded the nearest to it."""
        nearest = self.frames.nearest(self.number)
        if nearest is not None:
            self._show(nearest, moving=moving)

    def _show(self, number: int, *, moving: bool) -> None:
        volume = self.frames.volume(number)
        if volume is None:
            return
        self._shown = number
        source = f"{self.name}, frame {number + 1} of {len(self.frames)}"
        self._session.show_decoded(replace(volume, moving=moving), source)
        self.frame_changed.emit(number)

    def _hear_frame(self, _: int) -> None:
        wanted = self.number
        if self._shown != wanted and self.frames.nearest(wanted) != self._shown:
            self._show_now(moving=True)
            if not self._timer.isActive():
                self._rest.start()
        self._tell()

    def _tell(self) -> None:
        count = len(self.frames)
        if not count:
            self.where.setText("")
            self.status.setText("There are no frames to play yet.")
            return
        self.where.setText(f"{self.number + 1} of {count}")
        done = self.frames.n_decoded
        if not self._session.decodable:
            words = "Nothing can be decoded: this epoch has no weights."
        elif self.frames.full:
            words = f"{done} of {count} frames fit into memory: choose fewer frames."
        elif done == count:
            words = f"All {count} frames are decoded."
        else:
            words = f"{done} of {count} frames are decoded"
            words += " …" if self.frames.running else "; they are when played."
            if done and self._shown is not None and self._shown != self.number:
                words += f" Shown: frame {self._shown + 1}, the nearest one."
        self.status.setText(words)

    def _lay_out(self) -> None:
        self.slider.setToolTip("Go along the path; the nearest frame is shown until one is decoded")
        self.play_button.setToolTip("Play the path; frames are decoded on the way")
        for title, value in PLAYS:
            self.mode_box.addItem(title, value)
        self.mode_box.setCurrentIndex(1)
        self.mode_box.setToolTip("What happens at the end")
        self.slider.setPageStep(1)
        self.speed.setRange(0.5, 30)
        self.speed.setDecimals(1)
        self.speed.setValue(8)
        self.speed.setSuffix(" frames/s")
        self.speed.setToolTip("Speed; without a graphics card large volumes are shown more slowly")
        line = QHBoxLayout()
        line.addWidget(self.slider, 1)
        line.addWidget(self.where)
        self.row = QHBoxLayout()
        self.row.addWidget(self.play_button)
        self.row.addWidget(self.mode_box)
        self.row.addWidget(self.speed)
        self.row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addLayout(self.row)
        layout.addWidget(self.status)
