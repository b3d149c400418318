"""The resident decoder: the newest request is always answered, and it closes at once."""

from __future__ import annotations

import queue
import threading
import time

import numpy as np
import pytest
import torch

from napari_cryodrgn.decoding.engine import DecodeEngine
from napari_cryodrgn.decoding.network import Network
from napari_cryodrgn.decoding.records import DecodedVolume, DecodeFailure
from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.errors import InputError

SECONDS = 30


@pytest.fixture
def start():
    """Starts engines whose results come through a queue, and closes them in the end."""
    engines = []

    def started(load, pixel_size=2.0):
        engine = DecodeEngine(load, pixel_size)
        engines.append(engine)
        results = queue.Queue()
        engine.subscribe(results.put)
        return engine, results

    yield started
    for engine in engines:
        engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "decoder"]


@pytest.fixture
def before_chunks(monkeypatch):
    """Has a function called before each chunk of points: model's decoder, number of points."""
    whole = Network.output

    def patch(call):
        def output(network, hidden, offset):
            call(network._decoder, len(hidden))
            return whole(network, hidden, offset)

        monkeypatch.setattr(Network, "output", output)

    return patch


def last_result(results, tag):
    """Every result up to the one with a tag."""
    found = []
    while not found or found[-1].tag != tag:
        found.append(results.get(timeout=SECONDS))
    return found


def test_a_request_is_answered_by_its_volume(make_model, start):
    model = make_model(epoch=4)
    engine, results = start(lambda: model, pixel_size=1.5)
    engine.request([0.5, -1.0], "a tag")
    result = results.get(timeout=SECONDS)
    assert isinstance(result, DecodedVolume)
    assert np.array_equal(result.data, decode_volume(model, [0.5, -1.0]))
    assert result.z.tolist() == [0.5, -1.0]
    assert (result.tag, result.epoch, result.box) == ("a tag", 4, 16)
    assert (result.rung, result.pixel_size) == ("exact", 1.5)
    assert result.seconds > 0


def test_voxels_of_a_smaller_box_are_larger(make_model, start):
    engine, results = start(make_model, pixel_size=1.5)
    engine.request([0, 0], box=8)
    result = results.get(timeout=SECONDS)
    assert (result.rung, result.box, result.pixel_size) == ("reduced", 8, 3.0)


def test_an_unknown_pixel_size_stays_unknown(make_model, start):
    engine, results = start(make_model, pixel_size=None)
    engine.request([0, 0])
    assert results.get(timeout=SECONDS).pixel_size is None


def test_of_500_requests_the_last_is_the_last_answered(make_model, start):
    model = make_model(box=32)
    engine, results = start(lambda: model)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 2)).astype(np.float32)
    for number, point in enumerate(points):
        engine.request(point, number)
        if number % 50 == 0:
            time.sleep(0.02)
    found = last_result(results, 499)
    tags = [result.tag for result in found]
    assert tags == sorted(set(tags))
    assert len(tags) < 500
    assert np.array_equal(found[-1].data, decode_volume(model, points[-1]))
    time.sleep(0.1)
    assert results.empty()
    assert not engine.busy


def test_requests_from_many_threads_end_with_an_answer(make_model, start):
    engine, results = start(make_model)

    def hammer(first):
        for number in range(first, first + 50):
            engine.request([number, 0], number)

    threads = [threading.Thread(target=hammer, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.request([0, 0], "end")
    assert last_result(results, "end")[-1].z.tolist() == [0, 0]


def test_a_newer_request_cancels_the_running_one(make_model, start, monkeypatch, before_chunks):
    """The first decode is held in its first chunk until the second request is there."""
    monkeypatch.setattr("napari_cryodrgn.decoding.volume_decoder.CPU_CHUNK_FLOP", 1e7)
    model = make_model(box=32)
    reached, go_on = threading.Event(), threading.Event()

    def hold(*_):
        reached.set()
        assert go_on.wait(SECONDS)

    before_chunks(hold)
    engine, results = start(lambda: model)
    engine.request([0, 0], "old")
    assert reached.wait(SECONDS)
    engine.request([1, 1], "new")
    go_on.set()
    assert [result.tag for result in last_result(results, "new")] == ["new"]


def test_a_failure_names_its_request_and_the_next_is_answered(make_model, start, caplog):
    engine, results = start(make_model)
    engine.request([np.nan, 0], "bad")
    failure = results.get(timeout=SECONDS)
    assert isinstance(failure, DecodeFailure)
    assert isinstance(failure.error, InputError)
    assert (failure.tag, failure.details) == ("bad", "")
    assert "must be finite" in failure.message
    engine.request([0, 0], "good")
    assert isinstance(results.get(timeout=SECONDS), DecodedVolume)
    assert not caplog.records


def test_weights_that_do_not_load_are_tried_again(make_model, start, caplog):
    attempts = []

    def load():
        attempts.append(None)
        if len(attempts) == 1:
            raise InputError("there is no such file", file="weights.3.pkl")
        if len(attempts) == 2:
            raise ZeroDivisionError("a fault of ours")
        return make_model()

    engine, results = start(load)
    engine.request([0, 0])
    assert "weights.3.pkl: there is no such file" in results.get(timeout=SECONDS).message
    engine.request([0, 0])
    fault = results.get(timeout=SECONDS)
    assert "ZeroDivisionError: a fault of ours" in fault.message
    assert "Traceback" in fault.details
    assert "decoding failed" in caplog.text
    engine.request([0, 0])
    assert isinstance(results.get(timeout=SECONDS), DecodedVolume)


def test_another_epoch_answers_what_was_asked(make_model, start, before_chunks):
    """Also a request that was running when the model was changed."""
    first, second = make_model(epoch=1), make_model(epoch=2)
    reached, go_on = threading.Event(), threading.Event()

    def hold(decoder, _):
        if decoder is first.vae.decoder:
            reached.set()
            assert go_on.wait(SECONDS)

    before_chunks(hold)
    engine, results = start(lambda: first, pixel_size=1.0)
    engine.request([0, 0], "asked once")
    assert reached.wait(SECONDS)
    engine.set_model(lambda: second, pixel_size=3.0)
    go_on.set()
    result = results.get(timeout=SECONDS)
    assert (result.tag, result.epoch, result.pixel_size) == ("asked once", 2, 3.0)
    engine.request([0, 0], "again")
    assert results.get(timeout=SECONDS).epoch == 2
    assert results.empty()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError(),
    ],
)
def test_out_of_memory_gives_a_smaller_volume_that_says_so(make_model, start, error, before_chunks):
    model = make_model(box=64)
    tries = []

    def fail_when_large(_, n_points):
        tries.append(n_points)
        if n_points > 3000:
            raise error

    before_chunks(fail_when_large)
    engine, results = start(lambda: model, pixel_size=1.0)
    engine.request([0, 0])
    result = results.get(timeout=SECONDS)
    assert (result.box, result.rung, result.pixel_size) == (16, "reduced: out of memory", 4.0)
    assert np.isfinite(result.data).all()
    # What did not fit is not tried again, and a smaller volume is as good as asked for.
    n_tries = len(tries)
    engine.request([1, 1])
    assert results.get(timeout=SECONDS).rung == "reduced: out of memory"
    assert max(tries[n_tries:]) <= 3000
    engine.request([1, 1], box=16)
    assert results.get(timeout=SECONDS).rung == "reduced"


def test_no_memory_at_all_is_a_failure(make_model, start, caplog, before_chunks):
    model = make_model()

    def fail(*_):
        raise MemoryError("nothing left")

    before_chunks(fail)
    engine, results = start(lambda: model)
    engine.request([0, 0])
    assert isinstance(results.get(timeout=SECONDS).error, MemoryError)
    assert "decoding failed" in caplog.text


def test_a_failing_receiver_harms_nobody(make_model, caplog):
    engine = DecodeEngine(make_model, 1.0)
    results = queue.Queue()

    def fail(result):
        raise KeyError("receiver")

    engine.subscribe(fail)
    engine.subscribe(results.put)
    for tag in range(2):
        engine.request([0, 0], tag)
        assert results.get(timeout=SECONDS).tag == tag
    engine.close()
    assert caplog.text.count("a receiver of decoded volumes failed") == 2


def test_unsubscribed_receivers_hear_nothing(make_model, start):
    engine, results = start(make_model)
    unheard = queue.Queue()
    unsubscribe = engine.subscribe(unheard.put)
    unsubscribe()
    unsubscribe()
    engine.request([0, 0])
    results.get(timeout=SECONDS)
    assert unheard.empty()


def test_closing_is_quick_final_and_repeatable(make_model):
    model = make_model(box=64, dec_dim=256, dec_layers=3)
    engine = DecodeEngine(lambda: model, 1.0)
    results = queue.Queue()
    engine.subscribe(results.put)
    for number in range(20):
        engine.request([number, 0])
    time.sleep(0.1)
    started = time.monotonic()
    engine.close()
    assert time.monotonic() - started < 1.5
    engine.close()
    engine.request([0, 0])
    assert results.empty()
    assert not [thread for thread in threading.enumerate() if thread.name == "decoder"]


def test_what_fails_after_closing_is_nobodys_concern(caplog):
    loading, closing = threading.Event(), threading.Event()

    def load():
        loading.set()
        closing.wait(SECONDS)
        time.sleep(0.1)
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    engine = DecodeEngine(load, 1.0)
    engine.request([0, 0])
    assert loading.wait(SECONDS)
    closing.set()
    engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "decoder"]
    assert not caplog.records


def test_an_engine_may_be_closed_by_its_own_receiver(make_model):
    engine = DecodeEngine(make_model, 1.0)
    closed = threading.Event()

    def close(_):
        engine.close()
        closed.set()

    engine.subscribe(close)
    engine.request([0, 0])
    assert closed.wait(SECONDS)
    for thread in threading.enumerate():
        if thread.name == "decoder":
            thread.join(SECONDS)


def test_an_engine_that_was_never_asked_has_no_thread(make_model):
    engine = DecodeEngine(make_model, 1.0)
    assert not engine.busy
    engine.close()
