"""The prepared decoder: equal to the plain network, within its memory, quick to stop."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import psutil
import pytest
import torch

from napari_cryodrgn.decoding.first_layer_cache import FirstLayerCache
from napari_cryodrgn.decoding.network import Network, has_half_precision
from napari_cryodrgn.decoding.volume_decoder import VolumeDecoder
from napari_cryodrgn.errors import Cancelled

Z = np.array([0.5, -1.0], dtype=np.float32)


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("settings", [{}, {"activation": "leaky_relu"}, {"domain": "hartley"}])
def test_prepared_layers_are_the_network(make_model, monkeypatch, packed, settings):
    if not packed:
        monkeypatch.setattr("napari_cryodrgn.decoding.network.has_packed_layers", lambda: False)
    decoder = make_model(dec_layers=3, dec_dim=32, **settings).vae.decoder
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    latent = torch.from_numpy(Z)
    network = Network(decoder)
    found = network.output(network.hidden(points), network.offset(latent))
    expected = decoder.coefficients(points, latent)
    assert relative(found.numpy(), expected.numpy()) < 1e-5


@pytest.mark.parametrize("threads", [1, 3])
def test_the_kept_first_layer_changes_nothing(make_model, threads):
    model = make_model(box=32)
    with (
        VolumeDecoder(model, cache_bytes=0, threads=threads) as plain,
        VolumeDecoder(model, max_bytes=400_000, threads=threads) as cached,
    ):
        for z in (Z, -Z, Z):
            found, expected = cached.decode(z, 32), plain.decode(z, 32)
            assert relative(found, expected) < 1e-5
        assert plain.cache.bytes == 0
        assert cached.cache.bytes > 0


def test_the_number_of_torchs_threads_is_left_alone(make_model):
    before = torch.get_num_threads()
    seen = []
    with VolumeDecoder(make_model(), threads=3):
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert (torch.get_num_threads(), seen) == (before, [before])


def test_the_cache_keeps_its_bound_and_small_boxes(make_model):
    model = make_model(box=64)
    bound = 1_000_000
    with VolumeDecoder(model, cache_bytes=bound, max_bytes=100_000, threads=2) as decoder:
        whole = decoder.decode(Z, 64)
        assert bound / 2 < decoder.cache.bytes <= bound
        small = decoder.decode(Z, 16)
        assert decoder.cache.get(16, 0) is not None
        assert decoder.cache.bytes <= bound
        assert np.array_equal(decoder.decode(Z, 64), whole)
        assert np.array_equal(decoder.decode(Z, 16), small)
        decoder.cache.clear()
        assert decoder.cache.bytes == 0


def test_a_cache_without_room_keeps_nothing():
    cache = FirstLayerCache(99)
    cache.put(8, 0, torch.zeros(25))
    assert cache.get(8, 0) is None
    assert cache.bytes == 0


@pytest.mark.skipif(not has_half_precision(torch.device("cpu")), reason="no bfloat16 here")
def test_half_precision_is_near(make_model):
    model = make_model(box=32, dec_dim=64, dec_layers=3)
    with VolumeDecoder(model) as decoder:
        error = relative(decoder.decode(Z, 32, precision="half"), decoder.decode(Z, 32))
    assert 1e-6 < error < 2e-2


def test_a_wide_network_stops_quickly(make_model):
    """Within 50 ms on an idle machine; the bound here leaves room for a busy one."""
    model = make_model(box=64, dec_dim=1024, dec_layers=3)
    stopped = threading.Event()
    with VolumeDecoder(model, cache_bytes=0) as decoder:
        timer = threading.Timer(0.2, stopped.set)
        timer.start()
        with pytest.raises(Cancelled):
            decoder.decode(Z, 64, cancelled=stopped.is_set)
        timer.join()
        stopped.clear()
        threading.Timer(0.2, stopped.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            decoder.decode(Z, 64, cancelled=stopped.is_set)
        assert time.monotonic() - started < 0.2 + 0.25


def test_nothing_grows(make_model):
    with VolumeDecoder(make_model(), threads=2) as decoder:
        for _ in range(20):
            decoder.decode(Z, 16)
        gc.collect()
        before = psutil.Process().memory_info().rss
        for _ in range(100):
            decoder.decode(Z, 16)
        assert psutil.Process().memory_info().rss - before < 16 * 2**20
