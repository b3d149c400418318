"""Presets, run folders and advice of the Train dock."""

from __future__ import annotations

import pytest

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress
from napari_cryodrgn.widgets.loss_plot import LossPlot
from napari_cryodrgn.widgets.train_folder import folder_state, suggest_run_folder
from napari_cryodrgn.widgets.train_presets import (
    CUSTOM,
    PRESETS,
    default_preset,
    device_advice,
    matching_preset,
)
from napari_cryodrgn.widgets.train_settings import TrainSettings
from napari_cryodrgn.widgets.window_words import in_window_words, input_message
from napari_cryodrgn.workflows.continue_run import recorded_config


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_valid_and_recognised(preset):
    config = TrainingConfig(particles="p.star", outdir="run", **preset.values)
    assert matching_preset(config.model_dump()) is preset


def test_the_preset_named_so_is_cryodrgns_default():
    named = next(preset for preset in PRESETS if preset.name == "cryoDRGN default")
    plain = TrainingConfig(particles="p.star", outdir="run")
    assert TrainingConfig(particles="p.star", outdir="run", **named.values) == plain


def test_a_gpu_begins_with_a_wide_network_and_a_cpu_with_a_quick_look():
    assert default_preset("cuda").name == "Fine detail"
    assert default_preset("cpu").name == "Quick look"


def test_wide_networks_on_a_cpu_are_warned_of():
    assert "days" in device_advice("cpu", {"enc_dim": 1024, "dec_dim": 256})
    assert device_advice("cpu", {"enc_dim": 256, "dec_dim": 256}) == ""
    assert device_advice("cuda", {"enc_dim": 1024, "dec_dim": 1024}) == ""


@pytest.mark.gui
def test_choosing_a_preset_fills_the_form_and_editing_makes_it_custom(qtbot):
    settings = TrainSettings()
    qtbot.addWidget(settings)
    settings.set_device("cpu")
    assert settings.preset_box.currentText() == "Quick look"
    assert settings.advice.text() == ""
    settings.preset_box.setCurrentIndex(1)
    settings.preset_box.activated.emit(1)
    assert settings.form.values()["dec_dim"] == 1024
    assert "1024 wide" in settings.advice.text()
    settings.form.set_values({"zdim": 5})
    assert settings.preset_box.currentText() == CUSTOM
    settings.form.set_values({"device": "cuda"})
    assert settings.advice.text() == ""


@pytest.mark.gui
def test_a_gpu_found_later_changes_nothing_that_was_chosen(qtbot):
    settings = TrainSettings()
    qtbot.addWidget(settings)
    settings.form.set_values({"zdim": 5})
    settings.set_device("cuda")
    assert settings.form.values()["zdim"] == 5
    other = TrainSettings()
    qtbot.addWidget(other)
    other.set_device("cuda")
    assert other.preset_box.currentText() == "Fine detail"


def test_suggested_folders_are_free(tmp_path):
    particles = tmp_path / "set.star"
    assert suggest_run_folder(particles) == tmp_path / "set_run1"
    (tmp_path / "set_run1").mkdir()
    assert suggest_run_folder(particles) == tmp_path / "set_run2"


def test_what_a_folder_holds(tmp_path):
    assert folder_state(None).kind == "none"
    assert folder_state(tmp_path / "missing").kind == "new"
    assert folder_state(tmp_path).kind == "new"
    (tmp_path / "notes.txt").write_text("")
    assert folder_state(tmp_path).kind == "used"
    assert folder_state(tmp_path / "notes.txt").kind == "unusable"
    (tmp_path / "weights.2.pkl").write_bytes(b"")
    assert folder_state(tmp_path).kind == "unusable"
    (tmp_path / "config.yaml").write_text("")
    state = folder_state(tmp_path)
    assert (state.kind, state.finished) == ("run", 2)


def test_a_run_of_cryodrgn_is_continued_with_what_it_records(tmp_path):
    run = RunFolder(tmp_path)
    recorded = RunConfig(
        box=32,
        model={"zdim": 5, "enc_dim": 64, "dec_dim": 32},
        particles="/data/p.mrcs",
        poses="/data/poses.pkl",
        invert_data=False,
    )
    write_run_config(run.config, recorded)
    config = recorded_config(run)
    # The file names the mask's radius, which is half the box where none was given.
    assert config.model() == recorded.model.model_copy(update={"enc_mask": 16})
    assert str(config.particles) == "/data/p.mrcs"
    assert config.ignore_ctf
    assert not config.invert_data
    assert config.load == "latest"
    assert config.outdir == tmp_path


@pytest.mark.parametrize("change", [{"tilt_series": True}, {"kind": "abinit"}])
def test_runs_of_other_kinds_are_not_continued(tmp_path, change, monkeypatch):
    recorded = RunConfig(box=32, model={}, particles="/data/p.mrcs", **change)
    monkeypatch.setattr(
        "napari_cryodrgn.workflows.continue_run.read_run_config", lambda path: recorded
    )
    with pytest.raises(InputError, match="only explored"):
        recorded_config(RunFolder(tmp_path))


def test_messages_speak_the_words_of_the_window():
    assert in_window_words("try --lr or --no-amp") == "try “Learning rate” or “Mixed precision”"
    assert in_window_words("give -o") == "give “Run folder”"
    assert in_window_words("left-over --unknown") == "left-over --unknown"


def test_long_messages_keep_problem_and_hint_and_fold_the_rest():
    tried = ", ".join(f"/a/long/folder/number/{n}/image.mrcs" for n in range(20))
    error = InputError(
        f"this image file was not found; tried {tried}",
        file="/data/p.star",
        field="image file",
        value="x" * 200,
        hint="Name the folder with --datadir",
    )
    message, details = input_message(error)
    assert len(message) < 240
    assert message.startswith("p.star: image file = …x")
    assert message.endswith(
        "this image file was not found\nWhat to do: Name the folder with “Image folder”"
    )
    assert "/a/long/folder/number/19/image.mrcs" in details
    assert input_message(InputError("short")) == ("short", "")


@pytest.mark.gui
def test_the_plot_shows_epochs_and_the_one_under_way(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    epochs = [EpochMetrics(n, 1 / n, 0.9 / n, 2.0 * n, 0.1, 100, 1.0) for n in (1, 2, 3)]
    plot.show_epochs(epochs[:2])
    running = {"phase": "training", "n_images": 100, "loss": 0.4, "gen_loss": 0.3, "kld": 5.0}
    for done in (5, 40, 80):  # of the first few images the mean says nothing
        plot.show_progress(TrainingProgress(0, epoch=3, images_done=done, **running))
    assert plot.points_shown("kld") == (2, 2)
    plot.show_epochs(epochs)
    assert plot.points_shown("loss") == (3, 0)
    plot.show_progress(TrainingProgress(0, epoch=4, images_done=50, **running))
    assert plot.points_shown("gen_loss") == (3, 1)
    plot.clear()
    assert plot.points_shown("loss") == (0, 0)


@pytest.mark.gui
def test_the_plot_says_where_finer_detail_joins_in(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    radii = (8, 8, 12, None, None)
    epochs = [
        EpochMetrics(n, 1.0, 1.0, 1.0, 0.1, 100, 1.0, radius) for n, radius in enumerate(radii, 1)
    ]
    plot.show_epochs(epochs[:2])
    assert plot.steps_shown() == []
    assert plot.toolTip() == ""
    plot.show_epochs(epochs)
    assert plot.steps_shown() == [2.5, 3.5]
    assert "do not compare" in plot.toolTip()
    plot.clear()
    assert plot.steps_shown() == []
