"""The Train dock with a training that runs beside the window."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_cryodrgn.widgets.train_dock import TrainDock
from napari_cryodrgn.workflows.follow_status import read_status
from napari_cryodrgn.workflows.launch import under_way

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
SMALL = {
    "zdim": 2,
    "enc_dim": 8,
    "enc_layers": 1,
    "dec_dim": 8,
    "dec_layers": 1,
    "batch_size": 8,
    "num_epochs": 100_000,
    "seed": 1,
    "device": "cpu",
    "threads": 1,
}


def make_dock(qtbot) -> TrainDock:
    dock = TrainDock(ViewerModel())
    qtbot.addWidget(dock)
    dock.resize(400, 900)
    dock.show()
    return dock


def test_a_training_goes_on_without_the_window_and_is_found_again(qtbot, tiny_set, settle):
    """Started from one window, which closes; followed and stopped from another."""
    first = make_dock(qtbot)
    first.session.open_particles(tiny_set / "particles.star")
    first.settings.form.set_values(SMALL)
    first.settings.launch.choose("background")
    qtbot.mouseClick(first.start_button, LEFT)
    run = first.run
    settle(lambda: bool(run.weight_epochs()))
    settle(lambda: first.session.latent is not None)
    assert not first.pause_button.isVisible()
    first.shutdown()
    assert under_way(run)
    reached = max(run.weight_epochs())
    settle(lambda: max(run.weight_epochs()) > reached + 1)

    second = make_dock(qtbot)
    second.settings.folder.set_path(run.path)
    assert second.start_button.text() == "Follow training"
    # Opening the run is enough.
    opened = second.session.open_run(run.path)
    settle(lambda: second.status.plot.points_shown("loss")[0] > opened.epoch)
    settle(lambda: second.session.run.epoch > opened.epoch)
    # The table of its particles was read once.
    assert second.session.run.particles is opened.particles
    qtbot.mouseClick(second.last_epoch_button, LEFT)
    settle(lambda: second.task is None)
    last = max(run.weight_epochs())
    assert second.status.words.text() == f"Stopped. Epoch {last} is the last finished one."
    assert read_status(run).state == "stopped"
    assert not run.lock.exists()
    assert second.start_button.text() == "Continue run"
    second.shutdown()


def test_a_background_training_that_cannot_begin_says_why(qtbot, tiny_set, settle):
    dock = make_dock(qtbot)
    dock.session.open_particles(tiny_set / "particles.star")
    dock.settings.form.set_values(SMALL)
    dock.settings.launch.choose("background")
    (tiny_set / "particles.mrcs").unlink()
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    assert "particles.mrcs" in dock.notices.text()
    assert dock.start_button.isEnabled()
    dock.shutdown()
