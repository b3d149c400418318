"""The files of a particle set: one for RELION and cryoSPARC, several for bare stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.widgets.forms import ConfigForm

PREPARATION = ("invert_data", "window", "window_r", "ignore_ctf")
FILES_BESIDE = ("poses", "ctf", "ind", "datadir")

LABEL_WIDTH = 94

TABLES = (".star", ".cs")
STACKS = (".mrcs", ".mrc", ".txt")
FILE_FILTER = (
    "Particle sets (*.star *.cs *.mrcs *.mrc *.txt);;RELION (*.star);;cryoSPARC (*.cs);;"
    "Image stacks (*.mrcs *.mrc *.txt);;All files (*)"
)


class ParticleFiles(QWidget):
    """Asks for a particle file, and for what else that one needs."""

    dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form: ConfigForm[ParticleConfig] = ConfigForm(
            ParticleConfig, leave_out=PREPARATION, headings=False, label_width=LABEL_WIDTH
        )
        self.form.rows["particles"].editor.widget.set_filter(FILE_FILTER)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self.setAcceptDrops(True)
        self.form.changed.connect(self._on_change)
        self._show_needed()

    @property
    def path(self) -> Path | None:
        """The particle file named."""
        path: Path | None = self.form.values()["particles"]
        return path

    def set_config(self, config: ParticleConfig) -> None:
        """Show these files."""
        self.form.set_values({name: getattr(config, name) for name in FILES_BESIDE})
        self.form.set_values({"particles": config.particles})

    def set_path(self, path: str | Path) -> None:
        """Name another particle file; files that belonged to the one before go."""
        self.form.set_values(dict.fromkeys(FILES_BESIDE))
        self.form.set_values({"particles": path})

    def options(self) -> dict[str, Any] | None:
        """Path and options of ``reading_particles``; None with the error shown at its field."""
        config = self.form.validated()
        if config is None:
            return None
        given = {name: getattr(config, name) for name in FILES_BESIDE}
        named = {name: path for name, path in given.items() if path is not None}
        return {"path": config.particles.expanduser().absolute(), **named}

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt
        """Take a particle file."""
        if dropped_particle_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt
        """Name the file dropped."""
        path = dropped_particle_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.dropped.emit(str(path))

    def _on_change(self, name: str) -> None:
        if name == "particles":
            self._show_needed()

    def _show_needed(self) -> None:
        """Tables bring poses and CTF; what was named by hand stays in view."""
        stack = self.path is not None and self.path.suffix.lower() in STACKS
        values = self.form.values()
        for name in FILES_BESIDE:
            wanted = stack if name in ("poses", "ctf") else self.path is not None
            self.form.set_row_visible(name, wanted or values[name] is not None)


def dropped_particle_file(event: QDropEvent) -> Path | None:
    """The particle file that is dragged along, if it is one."""
    for url in event.mimeData().urls():
        path = Path(url.toLocalFile())
        if url.isLocalFile() and path.suffix.lower() in (*TABLES, *STACKS):
            return path
    return None
