"""Rungs: in order, in the same place on the same grey scale, none of an older request."""

from __future__ import annotations

import queue
import time

import numpy as np
import pytest
import torch

from napari_cryodrgn.decoding.engine import DecodeEngine
from napari_cryodrgn.decoding.grey_scale import at_full_scale, at_smaller_box
from napari_cryodrgn.decoding.ladder import Ladder, preview_box
from napari_cryodrgn.decoding.volume import decode_volume

SECONDS = 30
LADDER = ("surrogate", "preview", "exact")


@pytest.fixture
def start(monkeypatch):
    """Starts an engine whose previews have a box of 16."""
    monkeypatch.setattr("napari_cryodrgn.decoding.ladder.preview_box", lambda *_: 16)
    engines = []

    def started(model):
        engine = DecodeEngine(lambda: model, 2.0)
        engines.append(engine)
        results = queue.Queue()
        engine.subscribe(results.put)
        return engine, results

    yield started
    for engine in engines:
        engine.close()


def take(results, count):
    return [results.get(timeout=SECONDS) for _ in range(count)]


def with_surrogate(engine, results):
    engine.request([0, 0])
    take(results, 1)
    engine.seed_states(np.random.default_rng(0).uniform(-1, 1, size=(30, 2)))
    deadline = time.monotonic() + SECONDS
    while engine.surrogate is None or engine.surrogate.n_volumes < 25:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_ladder_is_climbed_in_order(make_model, start):
    engine, results = start(make_model(box=32))
    with_surrogate(engine, results)
    assert not engine.busy or results.empty()
    engine.request([0.1, 0.2], "tag", rungs=LADDER)
    rungs = take(results, 3)
    assert [volume.rung for volume in rungs] == ["surrogate", "preview", "exact"]
    assert [volume.last for volume in rungs] == [False, False, True]
    assert [volume.box for volume in rungs] == [32, 16, 32]
    assert [volume.pixel_size for volume in rungs] == [2.0, 4.0, 2.0]
    assert {(volume.tag, volume.full_box) for volume in rungs} == {("tag", 32)}
    assert rungs[0].error > 0
    assert rungs[1].error is None
    assert rungs[2].error is None
    guess, exact = rungs[0].data, rungs[2].data
    assert np.linalg.norm(guess - exact) < 5 * rungs[0].error * np.linalg.norm(exact)


def test_what_is_not_to_be_had_is_left_out(make_model, start):
    engine, results = start(make_model(box=32))
    engine.request([0, 0], rungs=LADDER)
    assert [volume.rung for volume in take(results, 2)] == ["preview", "exact"]
    with_surrogate(engine, results)
    engine.request([40, 40], "far", rungs=LADDER)
    assert [volume.rung for volume in take(results, 2)] == ["preview", "exact"]
    engine.request([0, 0], box=16, rungs=LADDER[1:])
    assert [volume.rung for volume in take(results, 1)] == ["reduced"]
    with pytest.raises(ValueError, match="no rungs"):
        engine.request([0, 0], rungs=("best",))


def test_of_many_ladders_the_last_is_the_last_and_in_order(make_model, start):
    engine, results = start(make_model(box=32))
    with_surrogate(engine, results)
    for number in range(200):
        engine.request([number / 200, 0], number, rungs=LADDER)
        if number % 20 == 0:
            time.sleep(0.01)
    found = take(results, 1)
    while not (found[-1].tag == 199 and found[-1].last):
        found += take(results, 1)
    assert [volume.tag for volume in found] == sorted(volume.tag for volume in found)
    assert [volume.rung for volume in found if volume.tag == 199] == list(LADDER)
    time.sleep(0.1)
    assert results.empty()


def test_learnt_volumes_and_exact_decodes_make_a_surrogate(make_model, start):
    model = make_model(box=16)
    engine, results = start(model)
    points = np.random.default_rng(1).uniform(-1, 1, size=(12, 2)).astype(np.float32)
    for z in points[:6]:
        engine.learn(z, decode_volume(model, z))
    for z in points[6:]:
        engine.request(z)
        take(results, 1)
    deadline = time.monotonic() + SECONDS
    while engine.surrogate is None or engine.surrogate.n_volumes < 12:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_model_begins_without_surrogate(make_model, start):
    engine, results = start(make_model(box=16))
    with_surrogate(engine, results)
    other = make_model(box=16, epoch=2)
    engine.set_model(lambda: other, 2.0)
    assert engine.surrogate is None
    engine.request([0, 0], rungs=LADDER)
    assert [(volume.rung, volume.epoch) for volume in take(results, 1)] == [("exact", 2)]


def test_a_smaller_box_shows_the_same_place_in_the_same_grey(make_model):
    """Voxel i of the smaller one is voxel 2 i of the larger one without its high frequencies."""
    model = make_model(box=32)
    z = np.array([0.5, -1], np.float32)
    exact = decode_volume(model, z)
    small = at_full_scale(decode_volume(model, z, box=16), 32)
    transform = np.fft.fftshift(np.fft.fftn(exact))
    axis = np.arange(-16, 16)
    radius = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    low = np.fft.ifftn(np.fft.ifftshift(np.where(radius < 8**2, transform, 0))).real
    assert np.abs(small - low[::2, ::2, ::2]).max() < 0.03 * np.abs(low).max()
    assert np.corrcoef(small.ravel(), low[::2, ::2, ::2].ravel())[0, 1] > 0.999
    np.testing.assert_allclose(at_smaller_box(exact, 16), small, atol=1e-5 * np.abs(low).max())


def test_previews_are_as_large_as_is_quick(make_model):
    def box_of(threads, precision="single", **settings):
        return preview_box(make_model(enc_dim=4, **settings), precision, threads)

    wide = {"box": 128, "dec_dim": 1024, "dec_layers": 3}
    assert box_of(1, box=64, dec_dim=256, dec_layers=2) == 48
    assert box_of(2, box=64, dec_dim=256, dec_layers=3) == 64
    assert box_of(2, **wide) == 32
    assert box_of(2, "half", **wide) == 40
    assert box_of(16, "half", **wide) == 80


def test_a_closed_ladder_lets_go(make_model):
    ladder = Ladder(make_model(), None)
    ladder.decode(np.zeros(2, np.float32), None, "exact", lambda: False)
    assert ladder._decoder.cache.bytes > 0
    ladder.close()
    assert ladder._decoder.cache.bytes == 0
    assert torch.get_num_threads() >= 1
