"""The *Evidence* dock: what speaks for a state, and what against it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.latent.confounders import Association, find_confounders
from napari_cryodrgn.latent.imaging_conditions import imaging_conditions
from napari_cryodrgn.latent.trust import Trust, TrustMeasure
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume, State
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import LATENT, find_dock
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.evidence_convergence import ConvergencePanel
from napari_cryodrgn.widgets.evidence_images import ImageEvidence
from napari_cryodrgn.widgets.evidence_maps import EvidenceMap
from napari_cryodrgn.widgets.evidence_selection import SelectionEvidence
from napari_cryodrgn.widgets.evidence_state import StateEvidence
from napari_cryodrgn.widgets.evidence_table import ConfounderTable
from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.seldom import WORDS_SECONDS, Seldom
from napari_cryodrgn.widgets.software_rendering import software_rendering
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.theme import theme_colours
from napari_cryodrgn.workflows.backproject import BackprojectOptions, backproject_run, reconstruct
from napari_cryodrgn.workflows.backproject_at import kept_spectra, map_at
from napari_cryodrgn.workflows.convergence import convergence
from napari_cryodrgn.workflows.map_agreement import map_agreement
from napari_cryodrgn.workflows.outliers import AGREEMENT_COLUMN, KeptColumns, agreement_columns
from napari_cryodrgn.workflows.particle_evidence import particle_evidence

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.reconstruction.particle_spectra import KeptSpectra
    from napari_cryodrgn.workflows.backproject import Reconstruction
    from napari_cryodrgn.workflows.backproject_at import MapAt
    from napari_cryodrgn.workflows.open_run import OpenRun

EMPTY_TITLE = "Nothing to judge yet"
EMPTY_TEXT = (
    "Open a run: then this dock says whether particles support the state shown, what their images "
    "alone show there, and what else a cluster may follow than structure."
)
STATE_MAP, SELECTION_MAP = "Images at this state", "Images of the selection"
STATE_COLOUR, SELECTION_COLOUR = "#e69f00", "#2fbf8f"
N_COMPARED = 18
MOST_AXES = 4
SUPPORT_COLUMN = "neighbour_distance"


class EvidenceDock(SessionDock):
    """Support, images, confounders and convergence of the open run."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.state = StateEvidence()
        self.selection = SelectionEvidence()
        self.confounders = ConfounderTable()
        self.images = ImageEvidence()
        self.convergence = ConvergencePanel()
        self.tasks = TaskBar()
        self.empty = EmptyState(EMPTY_TITLE, EMPTY_TEXT, "")
        surface = software_rendering()
        self.state.difference_box.setEnabled(surface)
        self.state_map = EvidenceMap(self.viewer, STATE_MAP, STATE_COLOUR, 1, as_surface=surface)
        self.selection_map = EvidenceMap(
            self.viewer, SELECTION_MAP, SELECTION_COLOUR, 2, as_surface=surface
        )
        self._trust: TrustMeasure | None = None
        self._measure: Latest[TrustMeasure] = Latest(self._take_measure, "evidence-trust")
        self._judge: Latest[Trust] = Latest(self.session.set_support, "evidence-judge")
        self._spectra: KeptSpectra | None = None
        self._judged: LatentSpace | None = None
        self._waiting = False
        self._words = Seldom(WORDS_SECONDS)
        self._lay_out()
        self._connect()
        self._follow_theme()
        self._show_latent(self.session.latent)

    # What the buttons do

    def map_here(self) -> TaskHandle | None:
        """Reconstruct the particles around the present state."""
        run, state = self.session.run, self.session.state_now
        if run is None or state is None or self._busy():
            self._waiting = state is not None and self._busy()
            return None
        self._waiting = False
        return self._start(
            partial(self._mapping, run, state.z),
            STATE_MAP,
            self._take_state_map,
            self._take_state_picture,
        )

    def reconstruct_selection(self) -> TaskHandle | None:
        """Backproject the selected particles."""
        run, rows = self.session.run, self._selected()
        if run is None or rows is None or self._busy():
            return None
        return self._start(
            partial(_reconstructing, run, rows),
            "Reconstructing the selection",
            self._take_selection_map,
            self._take_selection_picture,
        )

    def save_selection_map(self) -> None:
        """Ask for a folder and write map, half maps and FSC to it."""
        folder = QFileDialog.getExistingDirectory(self, "Folder for map, half maps and FSC")
        if folder:
            self.save_selection_map_to(Path(folder))

    def save_selection_map_to(self, folder: Path) -> TaskHandle | None:
        """Write map, half maps and FSC of the selection to a folder."""
        run, rows = self.session.run, self._selected()
        if run is None or rows is None or self._busy():
            return None
        made = self.session.selections.made
        return self._start(
            partial(backproject_run, run, rows, folder, made=made),
            "Saving the map of the selection",
            lambda done: self.tasks.notices.say(f"Saved {len(done.files)} files in {folder}"),
        )

    def look_for_confounders(self) -> TaskHandle | None:
        """Compare axes, clusters and selection with how particles were imaged."""
        latent = self.session.latent
        if latent is None or self._busy():
            return None
        mask = self.session.selections.mask
        return self._start(
            partial(_confounding, latent, mask),
            "Looking for confounders",
            self._take_associations,
        )

    def colour_by_support(self) -> TaskHandle | None:
        """Measure how thinly each particle is supported, and colour the latent space by it."""
        run = self.session.run
        if run is None or self._trust is None or self._busy():
            return None
        return self._start(
            self._trust.of_particles,
            "Measuring the support of particles",
            partial(self._take_column, run, SUPPORT_COLUMN),
        )

    def compare_images(self) -> TaskHandle | None:
        """Show some particles of the selection, or of all, beside their projections."""
        run, latent = self.session.run, self.session.latent
        if run is None or latent is None or self._busy():
            return None
        rows = self._selected() or latent.rows
        rng = np.random.default_rng()
        some = rows.at(np.sort(rng.permutation(len(rows))[:N_COMPARED]))
        return self._start(
            partial(particle_evidence, run, some), "Comparing images", self.images.show_evidence
        )

    def score_all(self) -> TaskHandle | None:
        """Score every particle, as a column of the latent space."""
        run = self.session.run
        if run is None or self._busy():
            return None
        return self._start(
            partial(agreement_columns, run), "Scoring particles", partial(self._take_scores, run)
        )

    def compare_epochs(self) -> TaskHandle | None:
        """Compare the last epochs of the run."""
        run = self.session.run
        if run is None or self._busy():
            return None
        return self._start(
            partial(convergence, run.folder, run.epoch),
            "Comparing epochs",
            self.convergence.show_convergence,
        )

    # What comes of it

    def _mapping(self, run: OpenRun, z: npt.NDArray[np.float32]) -> Task[MapAt]:
        if self._spectra is None:
            self._spectra = kept_spectra(run)
        return (yield from map_at(run, z, spectra=self._spectra))

    def _take_state_picture(self, progress: Progress) -> None:
        picture = getattr(progress, "snapshot", None)
        if picture is not None:
            self.state_map.show(picture, self._pixel_size(len(picture)), {"unfinished": True})

    def _take_state_map(self, found: MapAt) -> None:
        volume = found.kernel.volume
        self.state_map.show(
            volume, found.pixel_size, {"z": found.z.tolist(), "made": found.summary}
        )
        shown = self.session.volume
        same = shown is not None and shown.last and np.allclose(shown.z, found.z)
        self.state_map.compare_with(shown.data if shown is not None and same else None)
        lines = [f"Shown as layer '{STATE_MAP}': {found.summary}."]
        kernel, size = found.kernel, found.pixel_size
        curves = {"half maps": map_agreement(kernel.half_a, kernel.half_b, size)}
        if shown is not None and same:
            agreement = map_agreement(shown.data, volume, size)
            curves["with the decoded map"] = agreement
            lines.append(
                f"It agrees with the decoded map to {agreement.resolution_text(0.5)} (FSC 0.5)."
            )
        self.state.show_result(" ".join(lines))
        self.state.plot.show_curves(curves)
        self.state.plot.setVisible(True)
        if self._waiting:
            self.map_here()

    def _take_selection_picture(self, progress: Progress) -> None:
        picture = getattr(progress, "snapshot", None)
        if picture is not None:
            self.selection_map.show(picture, self._pixel_size(len(picture)), {"unfinished": True})

    def _take_selection_map(self, found: Reconstruction) -> None:
        self.selection_map.show(
            found.maps.volume, found.pixel_size, {"made": self.session.selections.made}
        )
        self.selection.show_result("\n".join([f"Shown as layer '{SELECTION_MAP}'.", *found.lines]))
        if found.fsc is not None:
            names = {"unmasked": found.fsc.unmasked, "masked": found.fsc.tight}
            names["corrected"] = found.fsc.corrected
            self.selection.plot.show_curves(names)
            self.selection.plot.setVisible(True)
        self.selection.save_button.setEnabled(True)

    def _take_associations(self, found: list[Association]) -> None:
        self.confounders.show_associations(found)
        latent, mask = self.session.latent, self.session.selections.mask
        if latent is not None and {"angle_rot", "angle_tilt"} <= set(latent.columns):
            rot, tilt = (
                latent.columns[name].to_numpy(float) for name in ("angle_rot", "angle_tilt")
            )
            self.confounders.views.show_views(rot, tilt, mask)

    def _take_scores(self, run: OpenRun, found: KeptColumns) -> None:
        scores = found.columns[AGREEMENT_COLUMN].to_numpy(np.float32)
        if self._take_column(run, AGREEMENT_COLUMN, scores):
            words = (
                f"The latent space is coloured by '{AGREEMENT_COLUMN}'; select by it under "
                f"Selections: half of the particles score above {np.median(scores):.2f}"
            )
            if found.problem:
                not_kept = f"{words}. The scores are not kept with the run: {found.problem}"
                self.tasks.notices.say(not_kept, "warning")
            else:
                self.tasks.notices.say(f"{words}. The scores are kept with the run.")

    def _take_column(self, run: OpenRun, name: str, values: npt.NDArray[np.float32]) -> bool:
        """Add a column to the latent space, unless another one is open by now."""
        now = self.session.run
        if now is None or now.latent is None or now.folder != run.folder or now.epoch != run.epoch:
            return False
        columns = now.latent.columns.copy(deep=False)
        columns[name] = values
        self.session.set_run(replace(now, latent=replace(now.latent, columns=columns)))
        dock = find_dock(self.viewer, LATENT) if isinstance(self.viewer, Viewer) else None
        if dock is not None:
            dock.plot.choose_colour(name)
        return True

    # What the session says

    def _show_latent(self, latent: LatentSpace | None) -> None:
        there = latent is not None and len(latent) > 0 and latent.mu.shape[1] > 0
        self._pages.setCurrentIndex(1 if there else 0)
        if latent is None or not there:
            self._trust = self._judged = None
            return
        if self._judged is not None and latent.mu is self._judged.mu:
            return
        self._judged = latent
        self._trust = None
        self.session.set_support(None)
        self._measure.request(partial(TrustMeasure, latent.mu, latent.logvar))
        self._forget_results()
        self._show_selection()

    def _forget(self, _: object) -> None:
        """Another run: its images are others."""
        self._spectra = None
        for shown in (self.state_map, self.selection_map):
            shown.remove()

    def _forget_results(self) -> None:
        self.state.show_result("")
        self.selection.show_result("")
        self.confounders.clear()
        self.images.show_evidence(None)
        self.convergence.show_convergence(None)

    def _take_measure(self, measure: TrustMeasure) -> None:
        self._trust = measure
        if self.session.state_now is not None:
            self._show_state(self.session.state_now)

    def _show_state(self, state: State) -> None:
        latent = self.session.latent
        if self._trust is None or latent is None or len(state.z) != latent.zdim:
            return
        if not state.moving or self._words.due():
            self._judge_state(state)
        if not state.moving and self.state.follow_box.isChecked():
            self.map_here()

    def _hear_volume(self, volume: ShownVolume) -> None:
        """Where the mouse rests with its button down, judge the state it rests at."""
        state = self.session.state_now
        if volume.moving and volume.last and state is not None and state.moving:
            self._judge_state(state)

    def _judge_state(self, state: State) -> None:
        latent = self.session.latent
        if self._trust is None or latent is None or len(state.z) != latent.zdim:
            return
        self._words.said()
        self._judge.request(partial(self._trust.at, state.z))

    def _show_selection(self, _: object = None) -> None:
        book, run = self.session.selections, self.session.run
        possible = run is not None and run.particles is not None
        self.selection.show_count(book.count, len(book.mask), possible=possible)
        self.state.map_button.setEnabled(possible)
        words = "" if possible else "The images of this run were not found."
        self.selection.count.setToolTip(words)

    def _place_beside(self, beside: bool) -> None:
        for shown in (self.state_map, self.selection_map):
            shown.set_beside(beside)

    def _pick_row(self, row: int) -> None:
        latent = self.session.latent
        if latent is not None:
            found = np.flatnonzero(latent.rows.rows == row)
            if found.size:
                self.session.pick(int(found[0]), source="Evidence")

    # Helpers

    def _start(
        self,
        make: Any,
        title: str,
        done: Any,
        progressed: Any = None,
    ) -> TaskHandle:
        handle = start_task(make, title, done=done, progressed=progressed)
        self.own(handle)
        return self.tasks.follow(handle)

    def _busy(self) -> bool:
        return self.tasks.task is not None and self.tasks.task.running

    def _selected(self) -> ParticleRows | None:
        """Rows of the selected particles; None where nothing is selected."""
        latent, mask = self.session.latent, self.session.selections.mask
        if latent is None or len(mask) != len(latent) or not mask.any():
            return None
        return latent.rows.at(np.flatnonzero(mask))

    def _pixel_size(self, box: int) -> float | None:
        run = self.session.run
        if run is None or run.pixel_size is None or run.config is None:
            return None
        return run.pixel_size * run.config.box / box

    def _connect(self) -> None:
        self.state.map_button.clicked.connect(self.map_here)
        self.state.beside_box.toggled.connect(self._place_beside)
        self.selection.map_button.clicked.connect(self.reconstruct_selection)
        self.selection.save_button.clicked.connect(self.save_selection_map)
        self.state.colour_button.clicked.connect(self.colour_by_support)
        self.state.difference_box.toggled.connect(self.state_map.set_difference)
        self.confounders.check_button.clicked.connect(self.look_for_confounders)
        self.images.compare_button.clicked.connect(self.compare_images)
        self.images.score_button.clicked.connect(self.score_all)
        self.images.grid.chosen.connect(self._pick_row)
        self.convergence.compare_button.clicked.connect(self.compare_epochs)
        self.listen(self.session.latent_changed, self._show_latent)
        self.listen(self.session.run_changed, self._forget)
        self.listen(self.session.state_changed, self._show_state)
        self.listen(self.session.volume_changed, self._hear_volume)
        self.listen(self.session.support_changed, self.state.show_trust)
        self.listen(self.session.selections.changed, self._show_selection)
        for worker in (self._measure, self._judge):
            self.at_end(worker.stop)
        for shown in (self.state_map, self.selection_map):
            self.at_end(shown.shutdown)
        self.viewer.events.theme.connect(self._follow_theme)
        self.at_end(partial(self.viewer.events.theme.disconnect, self._follow_theme))

    def _follow_theme(self, _: object = None) -> None:
        colours = theme_colours(self.viewer.theme)
        for plot in (self.state.plot, self.selection.plot, self.convergence):
            plot.set_colours(background=colours.background, text=colours.text)

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(4)
        for title, content, expanded in (
            ("This state", self.state, True),
            ("The selection, from its images", self.selection, True),
            ("What it may follow", self.confounders, False),
            ("Images and projections", self.images, False),
            ("Convergence", self.convergence, False),
        ):
            column.addWidget(Fold(title, content, expanded=expanded))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(scroll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self.tasks)
        layout.addWidget(pages, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


def _reconstructing(run: OpenRun, rows: ParticleRows) -> Task[Reconstruction]:
    if run.particles is None:  # the button is off then
        raise ValueError("a run without images")
    particles = run.particles.at(run.particles.rows.positions_of(rows))
    invert = run.config is None or run.config.invert_data
    return (yield from reconstruct(particles, BackprojectOptions(invert=invert, snapshots=True)))


def _confounding(latent: LatentSpace, mask: npt.NDArray[np.bool_]) -> Task[Any]:
    compared: dict[str, npt.NDArray[np.generic]] = {}
    n_components = min(MOST_AXES, latent.zdim)
    for axis in range(n_components):
        compared[f"PC{axis + 1}"] = latent.columns[f"PC{axis + 1}"].to_numpy()
    for name, values in latent.columns.items():
        if hasattr(values, "cat") and str(name).startswith(("kmeans", "gmm", "hdbscan")):
            compared[str(name)] = values.cat.codes.to_numpy(np.int64)
    if mask.any() and not mask.all():
        compared["selection"] = mask
    return (yield from find_confounders(compared, imaging_conditions(latent.columns)))
