"""The Evidence dock, by real clicks, on a run that was trained on simulated images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.widgets.evidence_dock import (
    SELECTION_MAP,
    STATE_MAP,
    EvidenceDock,
)
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.workflows.outliers import AGREEMENT_COLUMN, restored_columns
from napari_cryodrgn.workflows.simulate import simulate
from napari_cryodrgn.workflows.train import train

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
N = 200


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder: Path = tmp_path_factory.mktemp("evidence")
    settings = SimulationConfig(n_particles=N, box=16, snr=1.0, kind="hinge", seed=1)
    made = run_to_end(simulate(folder / "set", settings))
    config = TrainingConfig(
        particles=made / "particles.star",
        outdir=folder / "run",
        zdim=2,
        enc_layers=1,
        enc_dim=16,
        dec_layers=1,
        dec_dim=16,
        num_epochs=2,
        lr=3e-3,
        seed=0,
        device="cpu",
        threads=1,
    )
    return run_to_end(train(config))


@pytest.fixture
def open_dock(viewer, settle) -> Callable[[RunFolder], EvidenceDock]:
    """Opens the dock on a run; pytest would keep a dock itself for too long."""

    def make(run: RunFolder) -> EvidenceDock:
        dock = EvidenceDock(viewer)
        viewer.window.add_dock_widget(dock, name="Evidence", area="right")
        session = session_for(viewer)
        session.open_run(run.path)
        settle(lambda: session.volume is not None and session.volume.last)
        settle(lambda: dock.state.verdict.text() != "No state yet")
        return dock

    return make


def press(qtbot, settle, dock: EvidenceDock, button) -> None:
    """Click a button, and wait for the task that it starts."""
    qtbot.mouseClick(button, LEFT)
    settle(lambda: not dock._busy())


def test_verdict_follows_the_state(open_dock, trained, settle):
    dock = open_dock(trained)
    dock.session.request_z(np.full(2, 60.0), source="typed")
    settle(lambda: dock.state.verdict.text() == "Far from data")
    assert "0 particles near" in dock.state.numbers.text()
    middle = np.median(dock.session.latent.mu, axis=0)
    nearest = int(np.argmin(np.square(dock.session.latent.mu - middle).sum(axis=1)))
    dock.session.pick(nearest)
    settle(lambda: dock.state.verdict.text() == "Supported")


def test_map_from_the_images_stands_beside(qtbot, viewer, open_dock, trained, settle):
    dock = open_dock(trained)
    press(qtbot, settle, dock, dock.state.map_button)
    settle(lambda: STATE_MAP in viewer.layers)
    layer = viewer.layers[STATE_MAP]
    assert layer.metadata["z"] == pytest.approx(dock.session.state_now.z.tolist())
    assert layer.metadata["volume"].shape == (16, 16, 16)
    assert "agrees with the decoded map" in dock.state.result.text()
    assert dock.state.plot.curves_shown() == 2
    aside = layer.translate.copy()
    qtbot.mouseClick(
        dock.state.beside_box, LEFT, pos=QPoint(8, dock.state.beside_box.height() // 2)
    )
    assert np.linalg.norm(layer.translate - aside) > 10


def test_selection_is_reconstructed_and_saved(qtbot, viewer, open_dock, trained, settle, tmp_path):
    dock = open_dock(trained)
    assert not dock.selection.map_button.isEnabled()
    dock.session.selections.apply(np.arange(N) < 150, "replace", "the first 150")
    assert "150 of 200" in dock.selection.count.text()
    press(qtbot, settle, dock, dock.selection.map_button)
    settle(lambda: SELECTION_MAP in viewer.layers)
    assert "150 particles" in dock.selection.result.text()
    assert dock.selection.plot.curves_shown() == 3
    dock.save_selection_map_to(tmp_path / "maps")
    settle(lambda: not dock._busy())
    assert list((tmp_path / "maps").glob("*.mrc"))


def test_confounders_images_scores_and_epochs(qtbot, open_dock, trained, settle):
    dock = open_dock(trained)
    dock.look_for_confounders()
    settle(lambda: not dock._busy())
    assert dock.confounders.table.rowCount() > 0
    dock.compare_images()
    settle(lambda: not dock._busy())
    assert dock.images.grid.n_shown() == 18
    rows = dock.images.grid.rows_shown()
    dock.images.order_box.setCurrentIndex(1)
    assert dock.images.grid.rows_shown() == rows[::-1]
    dock.score_all()
    settle(lambda: not dock._busy())
    settle(lambda: AGREEMENT_COLUMN in dock.session.latent.columns)
    assert dock.session.latent.columns[AGREEMENT_COLUMN].between(-1, 1).all()
    assert "kept with the run" in dock.tasks.notices.notice.text
    kept, problems = restored_columns(replace(dock.session.latent, columns=pd.DataFrame()), trained)
    assert AGREEMENT_COLUMN in kept.columns
    assert not problems
    dock.compare_epochs()
    settle(lambda: not dock._busy())
    assert "from epoch 1 to 2" in dock.convergence.words.text()


def test_a_click_on_an_image_picks_its_particle(qtbot, open_dock, trained, settle):
    dock = open_dock(trained)
    dock.compare_images()
    settle(lambda: not dock._busy())
    grid = dock.images.grid
    grid.resize(400, grid.heightForWidth(400))
    qtbot.mouseClick(grid, LEFT, pos=QPoint(20, 20))
    assert dock.session.pick_now.row == grid.rows_shown()[0]


def test_a_run_without_images_says_so(open_dock, small_run, settle):
    dock = open_dock(small_run)
    assert not dock.state.map_button.isEnabled()
    assert "images" in dock.selection.count.toolTip()
    dock.score_all()
    settle(lambda: not dock._busy())
    assert "the images of this run are missing" in dock.tasks.notices.notice.text
