"""The session: what it announces, in which order, and that nothing it shows jumps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.decoding.records import DecodedVolume, DecodeFailure
from napari_cryodrgn.io.pickles import Latents, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_volumes import N_REFERENCES

BOX = 8
N = 50


class RecordedDecoder:
    """Keeps requests until it is told to answer them, as the engine would: the latest only."""

    def __init__(self, run, take) -> None:
        self.run, self.take = run, take
        self.requests: list[tuple[np.ndarray, object]] = []
        self.closed = False

        self.rungs: list[tuple[str, ...]] = []
        self.boxes: list[int | None] = []
        self.seeds: np.ndarray | None = None
        self.surrogate = None

    def request(self, z, tag=None, *, box=None, rungs=("exact",), patience=0.0) -> None:
        self.requests.append((z, tag))
        self.rungs.append(rungs)
        self.boxes.append(box)

    def seed_states(self, z_values) -> None:
        self.seeds = z_values

    def close(self) -> None:
        self.closed = True

    def answer(self, brightness: float = 1.0, rung: str = "exact") -> None:
        z, tag = self.requests[-1]
        data = brightness * np.random.default_rng(0).normal(size=(BOX,) * 3).astype(np.float32)
        data += float(z.sum()) * 1e-3
        volume = DecodedVolume(data, 2.0, z, self.run.epoch, BOX, rung, tag, 0.1, full_box=BOX)
        self.take(volume)

    def answer_all(self) -> None:
        answered = 0
        while answered < len(self.requests):
            answered = len(self.requests)
            self.answer()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    write_run_config(folder.config, RunConfig(box=BOX, model=ModelConfig(zdim=2), norm=(0.0, 1.0)))
    add_epoch(folder, 1)
    return folder


def add_epoch(folder: RunFolder, epoch: int, n: int = N, weights: bool = True) -> None:
    mu = np.random.default_rng(epoch).normal(size=(n, 2)).astype(np.float32)
    write_latents(folder.latents(epoch), Latents(mu, np.zeros_like(mu)))
    if weights:
        folder.weights(epoch).write_bytes(b"never read here")


@pytest.fixture
def decoders() -> list[RecordedDecoder]:
    return []


@pytest.fixture
def session(decoders: list[RecordedDecoder]) -> Session:
    def make(run, take) -> RecordedDecoder:
        decoders.append(RecordedDecoder(run, take))
        return decoders[-1]

    return Session(make_decoder=make)


def heard(signal) -> list:
    """Everything that a signal says from now on."""
    said: list = []
    signal.connect(said.append)
    return said


def test_opening_announces_the_run_its_epochs_its_latents_and_a_particle(session, run):
    order: list[str] = []
    for name in ("run_changed", "epochs_changed", "latent_changed", "picked"):
        getattr(session, name).connect(lambda _, name=name: order.append(name))
    session.open_run(run.path)
    assert order == ["run_changed", "epochs_changed", "latent_changed", "picked"]
    middle = session.latent.mu.mean(axis=0)
    distances = np.linalg.norm(session.latent.mu - middle, axis=1)
    assert session.pick_now.position == int(distances.argmin())


def test_a_pick_names_the_particle_by_its_row_in_the_source(session, run, monkeypatch):
    session.open_run(run.path)
    picks = heard(session.picked)
    session.pick(7)
    assert picks[0].row == session.latent.rows.rows[7]
    assert picks[0].particle == session.latent.rows.at([7])
    np.testing.assert_array_equal(picks[0].z, session.latent.mu[7])


@pytest.mark.parametrize("position", [-1, N])
def test_a_position_out_of_range_picks_nothing(session, run, position):
    session.open_run(run.path)
    picks = heard(session.picked)
    session.pick(position)
    assert picks == []


def test_the_scale_is_set_from_several_volumes_before_the_first_is_shown(session, run, decoders):
    volumes = heard(session.volume_changed)
    session.open_run(run.path)
    decoders[0].answer_all()
    assert len(decoders[0].requests) == N_REFERENCES + 1
    assert [volume.pick.position for volume in volumes] == [session.pick_now.position]
    assert session.scale.n_volumes == N_REFERENCES


def test_the_scale_stays_whatever_is_decoded_next(session, run, decoders):
    session.open_run(run.path)
    decoders[0].answer_all()
    scale = session.scale
    session.pick(3)
    decoders[0].answer(brightness=50.0)
    assert session.scale is scale
    assert session.volume.pick.position == 3


@pytest.mark.parametrize("clicked", [None, 5, 11])
def test_the_contour_is_the_same_whatever_is_clicked_meanwhile(session, run, decoders, clicked):
    session.open_run(run.path)
    if clicked is not None:
        session.pick(clicked)
    decoders[0].answer_all()
    if clicked is not None:
        assert session.volume.pick.position == clicked
    assert not session.busy
    again = Session(
        make_decoder=lambda run, take: decoders.append(RecordedDecoder(run, take)) or decoders[-1]
    )
    again.open_run(run.path)
    decoders[-1].answer_all()
    assert again.scale == session.scale
    assert set(decoders[0].boxes[:N_REFERENCES]) == {BOX}


def test_what_moves_is_not_cancelled_before_it_shows_and_the_last_request_wins(
    session, run, decoders
):
    session.open_run(run.path)
    decoders[0].answer_all()
    begun = len(decoders[0].requests)
    places = np.random.default_rng(3).normal(size=(6, 2)).astype(np.float32)
    for z in places[:4]:
        session.request_z(z, moving=True)
    assert len(decoders[0].requests) == begun + 1  # the others wait for something to be seen
    decoders[0].answer()
    np.testing.assert_array_equal(session.volume.z, places[0])
    np.testing.assert_array_equal(decoders[0].requests[-1][0], places[3])  # 1 and 2 are dropped
    assert decoders[0].boxes[-1] == BOX
    session.request_z(places[4], moving=True)
    session.request_z(places[5])
    np.testing.assert_array_equal(decoders[0].requests[-1][0], places[5])  # letting go is at once
    assert decoders[0].boxes[-1] is None
    decoders[0].answer_all()
    np.testing.assert_array_equal(session.volume.z, places[5])
    assert len(decoders[0].requests) == begun + 3
    assert not session.busy


def test_with_a_preview_the_whole_box_is_left_until_the_mouse_lets_go(session, run, decoders):
    session.open_run(run.path)
    decoders[0].answer_all()
    decoders[0].answer(rung="preview")
    session.request_z([1.0, 0.0], moving=True)
    assert decoders[0].rungs[-1] == ("surrogate", "preview")
    session.request_z([1.0, 0.0])
    assert decoders[0].rungs[-1] == ("surrogate", "preview", "exact")


def test_what_is_asked_for_aside_comes_in_turn_and_waits_for_what_is_shown(session, run, decoders):
    session.open_run(run.path)
    decoders[0].answer_all()
    shown, aside = session.volume, heard(session.volume_changed)
    done: list[np.ndarray] = []
    for x in (1.0, 2.0):
        session.decode_aside([x, 0.0], lambda volume: done.append(volume.z))
    session.pick(4)  # the decoder drops the first one for it
    decoders[0].answer()
    assert session.volume is not shown
    assert done == []
    decoders[0].answer_all()
    assert [z[0] for z in done] == [1.0, 2.0]
    assert len(aside) == 1  # neither of them was shown


def test_busy_until_the_latest_has_come(session, run, decoders):
    states = heard(session.busy_changed)
    session.open_run(run.path)
    decoders[0].answer_all()
    assert states == [True, False]
    session.pick(1)
    early = decoders[0].requests[-1]
    session.pick(2)
    decoders[0].requests.append(early)
    decoders[0].answer()
    assert session.busy
    decoders[0].requests.pop()
    decoders[0].answer()
    assert not session.busy


def test_another_epoch_keeps_the_particle_and_drops_the_old_decoder(session, run, decoders):
    session.open_run(run.path)
    decoders[0].answer_all()
    session.pick(9)
    add_epoch(run, 2)
    epochs = heard(session.epochs_changed)
    picks = heard(session.picked)
    session.open_run(run.path)
    assert epochs == [[1, 2]]
    assert [pick.position for pick in picks] == [9]
    assert len(decoders) == 2
    volumes = heard(session.volume_changed)
    decoders[0].answer()  # of the epoch before
    assert volumes == []
    decoders[1].answer_all()
    assert [volume.epoch for volume in volumes] == [2]


def test_the_same_epoch_read_again_keeps_decoder_and_volume(session, run, decoders):
    session.open_run(run.path)
    decoders[0].answer_all()
    volume, latents = session.volume, heard(session.latent_changed)
    session.open_run(run.path)
    assert len(latents) == 1
    assert len(decoders) == 1
    assert session.volume is volume


def test_weights_written_anew_are_loaded_anew(session, run, decoders):
    session.open_run(run.path)
    later = run.weights(1).stat().st_mtime_ns + 1_000_000_000
    os.utime(run.weights(1), ns=(later, later))
    session.open_run(run.path)
    assert len(decoders) == 2


def test_following_means_the_newest_epoch_is_shown(session, run):
    add_epoch(run, 2)
    session.open_run(run.path)
    assert session.following
    session.open_run(run.path, 1)
    assert not session.following


def test_a_failure_is_told_and_ends_the_waiting(session, run, decoders):
    notices = heard(session.message)
    session.open_run(run.path)
    _, tag = decoders[0].requests[-1]
    decoders[0].take(DecodeFailure("out of memory at a box of 16", "Traceback", tag))
    assert [(n.text, n.kind, n.details) for n in notices] == [
        ("out of memory at a box of 16", "error", "Traceback")
    ]
    assert not session.busy


def test_without_weights_the_missing_file_and_its_place_are_told_once(session, tmp_path, run):
    run.weights(1).unlink()
    notices = heard(session.message)
    session.open_run(run.path)
    session.pick(3)
    assert len(notices) == 1
    assert "weights.1.pkl" in notices[0].text
    assert str(run.path) in notices[0].text


def test_with_the_last_dock_gone_the_decoder_stops_and_a_pick_starts_it_again(
    session, run, decoders
):
    docks = [object(), object()]
    for dock in docks:
        session.join(dock)
    session.open_run(run.path)
    session.leave(id(docks[0]))
    assert not decoders[0].closed
    session.leave(id(docks[1]))
    wait_until(lambda: decoders[0].closed)
    session.pick(2)
    assert len(decoders) == 2


@pytest.mark.data
def test_a_run_without_weights_shows_the_nearest_volume_of_its_analysis(session, data_folder):
    folder = data_folder / "cftr-cryodrgn-demo" / "train"
    notices = heard(session.message)
    session.open_run(folder)
    wait_until(lambda: session.volume is not None)
    assert "weights.20.pkl" in notices[0].text
    assert str(folder) in notices[0].text
    centres = np.loadtxt(folder / "analyze.20" / "kmeans20" / "z_values.txt")
    names = set()
    for position in (0, 500, 1500, 2500):
        session.pick(position)
        wait_until(lambda position=position: session.volume.pick.position == position)
        there = {number: centres[number - 1] for number in (1, 10, 20)}
        z = session.latent.mu[position]
        nearest = min(there, key=lambda number: np.linalg.norm(there[number] - z))
        assert session.volume.file.name == f"vol_{nearest:03d}.mrc"
        assert session.volume.pixel_size is None  # its header's 1 Å says nothing
        names.add(session.volume.file.name)
    assert len(names) > 1
    session.close()


def test_the_session_imports_neither_torch_nor_umap_nor_qt():
    code = (
        "import sys, napari_cryodrgn.session\n"
        "heavy = {'torch', 'umap', 'qtpy', 'napari'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def wait_until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
