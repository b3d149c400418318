"""The Use tab of the Selections dock: what is selected goes into files, or into a new training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.io.pickles import read_array
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.widgets.docks import TRAIN, find_dock
from napari_cryodrgn.widgets.selections_dock import SelectionsDock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.workflows.simulate import simulate
from napari_cryodrgn.workflows.train import train

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
N = 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder: Path = tmp_path_factory.mktemp("use")
    settings = SimulationConfig(n_particles=N, box=16, snr=1.0, kind="hinge", seed=1)
    made = run_to_end(simulate(folder / "set", settings))
    small = {"enc_layers": 1, "enc_dim": 8, "dec_layers": 1, "dec_dim": 8, "zdim": 2}
    files = {"particles": made / "particles.star", "outdir": folder / "run"}
    return run_to_end(
        train(TrainingConfig(**files, **small, num_epochs=1, seed=0, device="cpu", threads=1))
    )


@pytest.fixture
def open_dock(viewer) -> Callable[[RunFolder], SelectionsDock]:
    """Opens the dock on a run; pytest would keep a dock itself for too long."""

    def make(run: RunFolder) -> SelectionsDock:
        dock = SelectionsDock(viewer)
        viewer.window.add_dock_widget(dock, name="Selections", area="right")
        session_for(viewer).open_run(run.path)
        dock.tabs.setCurrentIndex(dock.USE)
        return dock

    return make


def test_exports_what_is_selected(qtbot, monkeypatch, open_dock, trained, settle, tmp_path):
    dock = open_dock(trained)
    panel = dock.use
    assert panel.format_box.currentData() == "star"
    assert not panel.export_button.isEnabled()
    mask = np.zeros(N, bool)
    mask[[5, 17, 40]] = True
    dock.session.selections.apply(mask, "replace", "lasso in z0, z1")
    assert panel.count.text() == "3 of 60 particles"
    out = tmp_path / "kept.star"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(out), ""))
    qtbot.mouseClick(panel.export_button, LEFT)
    settle(lambda: panel.notices.notice is not None)
    assert "3 particles in kept.star" in panel.notices.notice.text
    assert "57 particles in kept_inverse.star" in panel.notices.notice.text
    names = [line.split()[0] for line in out.read_text().splitlines() if "@" in line]
    assert len(names) == 3
    assert json.loads((tmp_path / "kept.star.json").read_text())["made"] == "lasso in z0, z1"


def test_named_selections_and_indices(open_dock, trained, settle, tmp_path):
    dock = open_dock(trained)
    book = dock.session.selections
    book.apply(np.arange(N) < 20, "replace", "rectangle")
    book.keep("first twenty")
    book.clear()
    dock.use.which_box.setCurrentText("first twenty")
    assert dock.use.count.text() == "20 of 60 particles"
    dock.use.format_box.setCurrentIndex(dock.use.format_box.findData("pkl"))
    dock.use.inverse_box.setChecked(False)
    dock.use.export_to(tmp_path / "twenty")
    settle(lambda: dock.use.notices.notice is not None)
    np.testing.assert_array_equal(read_array(tmp_path / "twenty.pkl"), np.arange(20))
    assert not (tmp_path / "twenty_inverse.pkl").exists()


def test_a_refused_export_says_why(open_dock, trained, settle, tmp_path):
    dock = open_dock(trained)
    dock.session.selections.apply(np.arange(N) < 20, "replace", "rectangle")
    dock.use.export_to(tmp_path / "k.cs")
    settle(lambda: dock.use.tasks.notices.notice is not None)
    assert "no .cs can be made" in dock.use.tasks.notices.notice.text
    assert not list(tmp_path.glob("k*"))


def test_training_on_what_was_kept(viewer, open_dock, trained, settle, tmp_path):
    dock = open_dock(trained)
    dock.session.selections.apply(np.arange(N) >= 20, "replace", "rectangle")
    dock.use.weights_box.setChecked(True)
    config = dock.use.train_in(tmp_path / "again")
    assert config is not None
    settings = find_dock(viewer, TRAIN).settings
    assert settings.folder.path() == tmp_path / "again"
    prepared = settings.config(dock.session.particle_config)
    assert prepared.ind == config.ind
    assert prepared.zdim == 2
    assert prepared.enc_dim == 8
    assert Path(prepared.load).name == "weights.1.pkl"
    assert len(dock.session.particles) == 40
    settings.anew_button.click()
    assert settings.config(dock.session.particle_config).load is None


def test_a_folder_in_use_is_refused(open_dock, trained):
    dock = open_dock(trained)
    dock.session.selections.apply(np.arange(N) >= 20, "replace", "rectangle")
    assert dock.use.train_in(trained.path) is None
    assert "not empty" in dock.use.notices.notice.text
