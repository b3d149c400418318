"""Orders of an epoch: every image once, the same for all who ask, in chunks of neighbours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from napari_cryodrgn.training import distributed, epoch_order
from napari_cryodrgn.training.distributed import own_places
from napari_cryodrgn.training.epoch_order import (
    chunked_order,
    piece_bounds,
    shuffled_order,
    stored_order,
)
from napari_cryodrgn.training.randomness import image_order

BOX = 16


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 4 images, pieces of 16, 32, 32 …"""
    monkeypatch.setattr(epoch_order, "CHUNK_BYTES", 4 * 4 * BOX * BOX)
    monkeypatch.setattr(epoch_order, "SHUFFLED_BYTES", 32 * 4 * BOX * BOX)


@pytest.mark.parametrize("n_images", [1, 3, 4, 5, 63, 101])
def test_every_image_once(n_images: int) -> None:
    for order in (
        chunked_order(3, 1, n_images, BOX),
        shuffled_order(3, 1, n_images, BOX),
        stored_order(n_images, BOX),
    ):
        assert sorted(order.positions.tolist()) == list(range(n_images))
        assert (order.bounds[0], order.bounds[-1]) == (0, n_images)
        assert all(first < second for first, second in itertools.pairwise(order.bounds))


def test_order_is_of_seed_and_epoch() -> None:
    order = chunked_order(3, 1, 101, BOX)
    assert torch.equal(order.positions, chunked_order(3, 1, 101, BOX).positions)
    assert not torch.equal(order.positions, chunked_order(3, 2, 101, BOX).positions)
    assert not torch.equal(order.positions, chunked_order(4, 1, 101, BOX).positions)
    # Sets in memory keep theirs.
    assert torch.equal(shuffled_order(3, 2, 101, BOX).positions, image_order(3, 2, 101))


def test_pieces_hold_whole_chunks_well_mixed() -> None:
    order = chunked_order(1, 1, 1000, BOX)
    assert order.bounds[:4] == (0, 16, 48, 80)
    for start, end in itertools.pairwise(order.bounds):
        piece = order.positions[start:end].numpy()
        assert len(np.unique(piece // 4)) <= -(-len(piece) // 4) + 1
        if len(piece) > 8:
            assert (np.diff(piece) != 1).any()
    # Chunks come in another order than they are stored in.
    firsts = [int(order.positions[a:b].min()) for a, b in itertools.pairwise(order.bounds)]
    assert firsts != sorted(firsts)


def test_pieces_have_a_size_that_memory_can_hold() -> None:
    assert max(b - a for a, b in itertools.pairwise(piece_bounds(10_000, BOX))) == 32


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processes_share_an_epoch(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: count)
    seen: list[int] = []
    for rank in range(count):
        monkeypatch.setattr(distributed.dist, "get_rank", lambda rank=rank: rank)
        places = own_places(21, 8)
        assert len(places) == 3
        seen += [at for place in places for at in range(21)[place]]
    assert sorted(seen) == list(range(21))
