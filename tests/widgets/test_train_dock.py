"""The Train dock, driven by mouse and keys: start, pause, resume, stop, continue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.widgets.docks import LATENT, TRAIN, open_dock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.train_dock import NO_PARTICLES, NO_POSES, TrainDock
from napari_cryodrgn.widgets.train_status import TrainStatus
from napari_cryodrgn.workflows.open_run import open_run

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
SMALL = {
    "zdim": 2,
    "enc_dim": 8,
    "enc_layers": 1,
    "dec_dim": 8,
    "dec_layers": 1,
    "batch_size": 8,
    "num_epochs": 3,
    "seed": 1,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture
def model():
    """A viewer without a window: what the dock needs of one, and quick to make."""
    return ViewerModel()


@pytest.fixture
def dock(model, qtbot, tiny_set):
    dock = TrainDock(model)
    qtbot.addWidget(dock)
    dock.resize(400, 900)
    dock.show()
    dock.session.open_particles(tiny_set / "particles.star")
    dock.settings.form.set_values(SMALL)
    yield dock
    dock.shutdown()


def finished(dock) -> int:
    return max(dock.run.weight_epochs(), default=0)


def test_start_pause_resume_stop_with_the_mouse(dock, qtbot, settle):
    """The run that is left opens, and the latent space of its epochs was shown meanwhile."""
    dock.settings.form.set_values({"num_epochs": 5000})
    assert dock.start_button.text() == "Start training"
    qtbot.mouseClick(dock.start_button, LEFT)
    assert not dock.settings_fold.isExpanded()
    settle(lambda: finished(dock) >= 2)
    settle(lambda: dock.session.latent is not None)
    settle(lambda: "images/s" in dock.status.pace.text())
    assert "left" in dock.status.pace.text()

    qtbot.mouseClick(dock.pause_button, LEFT)
    settle(lambda: dock.pause_button.text() == "Resume")
    assert dock.task.paused
    assert dock.status.pace.text() == "paused"
    reached = finished(dock)
    qtbot.wait(400)
    assert finished(dock) == reached

    qtbot.mouseClick(dock.pause_button, LEFT)
    settle(lambda: finished(dock) > reached)
    assert dock.pause_button.text() == "Pause"

    qtbot.mouseClick(dock.stop_button, LEFT)
    settle(lambda: dock.task is None)
    last = finished(dock)
    assert dock.status.words.text() == f"Stopped. Epoch {last} is the last finished one."
    assert not dock.run.lock.exists()
    found = open_run(dock.run.path)
    assert found.epoch == last
    assert len(found.latent) == 64
    assert dock.start_button.text() == "Continue run"
    assert dock.status.plot.points_shown("loss")[0] >= last


def test_the_pace_stays_while_latents_are_computed_between_epochs(qtbot):
    status = TrainStatus()
    qtbot.addWidget(status)
    status.show_progress(TrainingProgress(0, 10, "Reading", 3.0))
    assert status.pace.text() == "3 s left"
    training = {"phase": "training", "epoch": 1, "n_epochs": 500}
    status.show_progress(
        TrainingProgress(100, 1000, "Training", 900.0, images_per_second=50.0, **training)
    )
    shown, reached = status.pace.text(), status.bar.value()
    assert shown == "50 images/s · 15 min 00 s left"
    status.show_progress(TrainingProgress(8, 8, "Computing the latents", 0.0, phase="embedding"))
    assert status.words.text() == "Computing the latents"
    assert (status.pace.text(), status.bar.value()) == (shown, reached)


def test_the_newest_epoch_reaches_the_session(dock, qtbot, settle):
    epochs = []
    dock.session.epochs_changed.connect(epochs.append)
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    settle(lambda: dock.session.run is not None and dock.session.run.epoch == 3)
    assert epochs[-1] == [1, 2, 3]
    assert dock.status.words.text() == "Training complete."
    assert "epoch 3  loss" in dock.status.log.toPlainText()


def test_a_run_is_continued_with_its_own_settings(dock, qtbot, settle):
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    assert dock.start_button.text() == "Continue run"
    dock.settings_fold.open()
    rows = dock.settings.form.rows
    assert not rows["zdim"].isEnabled()
    assert rows["num_epochs"].isEnabled()
    # As many epochs as it has already are refused at the field.
    qtbot.mouseClick(dock.start_button, LEFT)
    assert dock.task is None
    assert rows["num_epochs"].error.text() == "the run has 3 already: give more"
    epochs = rows["num_epochs"].editor.widget
    epochs.setFocus()
    epochs.selectAll()
    qtbot.keyClicks(epochs, "5")
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    assert finished(dock) == 5
    assert [record.epoch for record in read_metrics(dock.run.metrics)] == [1, 2, 3, 4, 5]
    assert read_run_config(dock.run.config).model.zdim == 2


def test_ones_own_settings_return_with_another_folder(dock, qtbot, settle, tmp_path):
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    run = dock.run.path
    dock.settings.folder.set_path(tmp_path / "new")
    dock.settings.form.set_values({"zdim": 7})
    dock.settings.folder.set_path(run)
    assert dock.settings.form.values()["zdim"] == 2
    dock.settings.folder.set_path(tmp_path / "newer")
    assert dock.settings.form.values()["zdim"] == 7
    assert dock.settings.form.rows["zdim"].isEnabled()
    assert dock.start_button.text() == "Start training"


def test_bad_input_is_a_message_and_nothing_is_written(dock, tiny_set, qtbot, settle):
    (tiny_set / "particles.mrcs").unlink()
    qtbot.mouseClick(dock.start_button, LEFT)
    settle(lambda: dock.task is None)
    assert "particles.mrcs" in dock.notices.text()
    assert not dock.run.path.exists()
    assert dock.start_button.isEnabled()


def test_an_error_at_a_field_starts_nothing(dock, qtbot):
    dock.settings.form.rows["enc_mask"].editor.widget.setText("wide")
    qtbot.mouseClick(dock.start_button, LEFT)
    assert dock.task is None
    assert dock.settings.form.rows["enc_mask"].error.text() == "give a whole number"
    assert dock.settings.form.advanced.isExpanded()


def test_without_particles_or_poses_it_says_what_is_missing(model, qtbot, tiny_set):
    dock = TrainDock(model)
    qtbot.addWidget(dock)
    assert not dock.start_button.isEnabled()
    assert dock.particles_line.text() == NO_PARTICLES
    dock.session.open_particles(tiny_set / "particles.mrcs")
    assert not dock.start_button.isEnabled()
    assert dock.start_button.toolTip() == NO_POSES
    dock.shutdown()


def test_particles_bring_a_folder_name_and_their_contrast(dock, tiny_set, tmp_path):
    assert dock.settings.folder.path() == tiny_set / "particles_run1"
    dock.session.set_invert_data(False)
    assert dock.settings.form.values()["invert_data"] is False
    dock.settings.form.rows["invert_data"].editor.widget.click()
    assert dock.session.particle_config.invert_data is True
    # A folder of one's own is kept when other particles are opened.
    dock.settings.folder.set_path(tmp_path / "mine")
    dock.session.open_particles(tiny_set / "particles.star")
    assert dock.settings.folder.path() == tmp_path / "mine"


def test_files_beside_the_particles_reach_the_training(dock, tiny_set):
    dock.session.open_particles(
        tiny_set / "particles.mrcs", poses=tiny_set / "poses.pkl", ctf=tiny_set / "ctf.pkl"
    )
    config = dock.settings.config(dock.session.particle_config)
    assert config.particles == tiny_set / "particles.mrcs"
    assert config.poses == tiny_set / "poses.pkl"
    assert config.ctf == tiny_set / "ctf.pkl"
    assert config.load is None


def test_a_run_that_is_opened_offers_to_be_continued(model, qtbot, small_run):
    dock = TrainDock(model)
    qtbot.addWidget(dock)
    dock.session.open_run(small_run.path)
    assert dock.settings.folder.path() == small_run.path
    # It was made without particles, which a training needs.
    assert "particles" in dock.settings.state.text
    assert not dock.start_button.isEnabled()
    dock.shutdown()


def test_closing_the_dock_while_it_trains_leaves_a_run_that_opens(viewer, tiny_set, settle):
    dock = start_in(viewer, tiny_set, settle)
    run, task = dock.run, dock.task
    viewer.window.remove_dock_widget(dock)
    settle(lambda: not task.running)
    assert_whole(run)


def test_closing_napari_while_it_trains_leaves_a_run_that_opens(
    make_napari_viewer, tiny_set, settle
):
    viewer = make_napari_viewer(show=True)
    dock = start_in(viewer, tiny_set, settle)
    run, task = dock.run, dock.task
    viewer.close()
    settle(lambda: not task.running)
    assert_whole(run)


def start_in(viewer, tiny_set, settle) -> TrainDock:
    """A training under way in a real window, with the latent space beside it."""
    dock = open_dock(viewer, TRAIN)
    open_dock(viewer, LATENT)
    session_for(viewer).open_particles(tiny_set / "particles.star")
    dock.settings.form.set_values(SMALL | {"num_epochs": 5000})
    dock.start()
    settle(lambda: finished(dock) >= 2)
    return dock


def assert_whole(run: RunFolder) -> None:
    assert not run.lock.exists()
    found = open_run(run.path)
    assert found.epoch == max(run.latent_epochs())
    assert np.isfinite(found.latent.mu).all()
    assert not list(run.path.rglob("*.part"))


def test_the_particle_config_of_other_particles_names_their_files(dock, tiny_set):
    assert dock.session.particle_config == ParticleConfig(particles=tiny_set / "particles.star")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_plot_follows_the_theme(dock, model, theme):
    model.theme = theme
    bright = dock.status.plot.canvas.backgroundBrush().color().lightness() > 128
    assert bright == (theme == "light")


def test_runs_that_cannot_be_continued_say_why(data_folder):
    from napari_cryodrgn.workflows.continue_run import recorded_config

    with pytest.raises(InputError) as caught:
        recorded_config(RunFolder(Path(data_folder / "cftr-cryodrgn-demo" / "missing")))
    assert "no such file" in str(caught.value)


def test_the_loss_is_told_from_the_first_step_on(qtbot):
    status = TrainStatus()
    qtbot.addWidget(status)
    first = TrainingProgress(
        1, 1e5, "Training", 99.0, phase="training", n_images=100_000, images_done=8, loss=0.84519
    )
    status.show_progress(first)
    assert status.pace.text().startswith("loss 0.8452 · ")
    assert status.plot.points_shown("loss") == (0, 0)  # a mean of few images says little
