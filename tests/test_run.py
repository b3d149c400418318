"""The layout of a run folder."""

from __future__ import annotations

import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.run import RunFolder


def test_epochs_are_read_off_the_files_in_numeric_order(tmp_path):
    for epoch in (1, 2, 10):
        (tmp_path / f"weights.{epoch}.pkl").touch()
    (tmp_path / "z.2.pkl").touch()
    (tmp_path / "weights.pkl").touch()
    (tmp_path / ".weights.11.pkl.x.part").touch()
    run = RunFolder.existing(tmp_path)
    assert run.weight_epochs() == [1, 2, 10]
    assert run.latent_epochs() == [2]
    assert run.weights(10).name == "weights.10.pkl"
    assert run.latents().name == "z.pkl"


def test_analysis_lists_what_is_there(tmp_path):
    for name in ("kmeans20", "kmeans5", "pc2", "pc1"):
        (tmp_path / "analyze.3" / name).mkdir(parents=True)
    run = RunFolder(tmp_path)
    assert run.analysis_epochs() == [3]
    assert run.analysis(3).kmeans_counts() == [5, 20]
    assert run.analysis(3).pc_numbers() == [1, 2]


def test_a_missing_epoch_is_refused_with_those_that_are_there(tmp_path):
    run = RunFolder(tmp_path)
    with pytest.raises(InputError, match=r"epoch = 7: the run has no weights .* \(it has 1, 2\)"):
        run.epoch_or_latest(7, [1, 2], "weights")
    with pytest.raises(InputError, match="no weights of any epoch"):
        run.epoch_or_latest(None, [], "weights")
    assert run.epoch_or_latest(None, [1, 2], "weights") == 2


def test_folders_that_hold_no_run_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        RunFolder.existing(tmp_path / "absent")
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.existing(tmp_path)
    (tmp_path / "config.pkl").touch()
    with pytest.raises(InputError, match=r"had no config\.yaml yet"):
        RunFolder.existing(tmp_path)
