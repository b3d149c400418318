from __future__ import annotations

from pathlib import Path

import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.training.log import epoch_line, keep_log_until, log_line
from napari_cryodrgn.training.metrics import append_metrics, keep_metrics_until, read_metrics
from napari_cryodrgn.training.records import EpochMetrics


def metrics_of(epoch: int) -> EpochMetrics:
    return EpochMetrics(epoch, 0.1 * epoch, 0.09 * epoch, 3.0, 0.125, 100, 1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for epoch in (1, 2, 3):
        append_metrics(tmp_path / "metrics.jsonl", metrics_of(epoch))
    return tmp_path / "metrics.jsonl"


def test_round_trip_is_exact(path: Path) -> None:
    assert read_metrics(path) == [metrics_of(1), metrics_of(2), metrics_of(3)]


def test_no_file_no_epochs(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_line_cut_off_by_a_kill_is_skipped_and_mended(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    assert read_metrics(path) == [metrics_of(1), metrics_of(2)]
    keep_metrics_until(path, 2)
    append_metrics(path, metrics_of(3))
    assert read_metrics(path) == [metrics_of(1), metrics_of(2), metrics_of(3)]


def test_epochs_to_come_again_are_forgotten(path: Path) -> None:
    keep_metrics_until(path, 1)
    assert read_metrics(path) == [metrics_of(1)]


def test_foreign_line_is_named(path: Path) -> None:
    path.write_text('{"epoch": 1}\n')
    with pytest.raises(InputError, match="line = 1"):
        read_metrics(path)


def test_log_keeps_text_and_drops_epochs_to_come_again(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log_line(log, "begun")
    for epoch in (1, 2, 11):
        log_line(log, epoch_line(metrics_of(epoch)))
    log_line(log, "Stopped on request")
    keep_log_until(log, 1)
    text = log.read_text()
    assert "begun" in text
    assert "Stopped on request" in text
    assert "=====> Epoch: 1 Average gen loss = 0.090000, KLD = 3.000000, total loss" in text
    assert text.count("=====>") == 1
