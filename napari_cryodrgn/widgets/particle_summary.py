"""What a particle set is, in a few lines for people."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.widgets.labels import ElidedLabel

NO_POSES = "none: training needs them"
UNKNOWN = "unknown"


def summary_lines(particles: Particles) -> dict[str, str]:
    """Name and value of each line.

    Parameters
    ----------
    particles : Particles
        A checked set.
    """
    n, n_source = len(particles), particles.source.n_rows
    box, size = particles.box, particles.pixel_size
    lines = {
        "Particles": f"{n:,}" if n == n_source else f"{n:,} of {n_source:,}",
        "Images": f"{box} × {box} px",
        "Pixel size": UNKNOWN if size is None else f"{size:.4g} Å",
        "Field of view": UNKNOWN if size is None else f"{box * size:.4g} Å",
        "CTF": _ctf_text(particles),
        "Poses": _poses_text(particles),
    }
    for title, column in (("Optics groups", "optics_group"), ("Micrographs", "micrograph")):
        if column in particles.metadata:
            lines[title] = f"{particles.metadata[column].nunique():,}"
    if isinstance(particles.images, FileImageStack):
        files = particles.images.headers
        lines["Image files"] = files[0].path.name if len(files) == 1 else f"{len(files):,}"
    lines["Table"] = str(particles.source.path)
    return lines


def _ctf_text(particles: Particles) -> str:
    if particles.ctf is None:
        return "none"
    defocus = (particles.ctf.column("defocus_u") + particles.ctf.column("defocus_v")) / 2e4
    low, high = float(defocus.min()), float(defocus.max())
    kilovolts = "/".join(f"{value:g}" for value in np.unique(particles.ctf.column("voltage")))
    span = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    return f"defocus {span} µm, {kilovolts} kV"


def _poses_text(particles: Particles) -> str:
    if particles.poses is None:
        return NO_POSES
    shifts = np.abs(particles.poses.shifts)
    if not shifts.any():
        return "orientations, no shifts"
    largest = float(shifts.max()) * particles.box
    return f"orientations, shifts up to {largest:.1f} px"


class SummaryTable(QWidget):
    """Names on the left, values on the right; long values end in '…'."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(12)
        self._layout.setVerticalSpacing(3)
        self._layout.setColumnStretch(1, 1)
        self.lines: dict[str, str] = {}

    def show_lines(self, lines: dict[str, str]) -> None:
        """Show these instead of what is there."""
        while (item := self._layout.takeAt(0)) is not None:
            item.widget().deleteLater()
        self.lines = dict(lines)
        for row, (name, value) in enumerate(lines.items()):
            mode = Qt.TextElideMode.ElideMiddle if "/" in value else Qt.TextElideMode.ElideRight
            shown = ElidedLabel(value, mode=mode)
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._layout.addWidget(QLabel(name), row, 0)
            self._layout.addWidget(shown, row, 1)
