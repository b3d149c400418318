"""Images read from disk: the same values cached or not, whatever becomes of the cache."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import window_mask
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.training import cache_folder, cached_rows, epoch_order, image_cache
from napari_cryodrgn.training.cache_folder import clean, entries, make_room, new_part
from napari_cryodrgn.training.data import CacheChoice, prepare_images
from napari_cryodrgn.training.preparation import Preparation, kept_pixels
from napari_cryodrgn.training.streamed_images import StreamedImages

BOX, CPU = 16, torch.device("cpu")
PLACES = [slice(start, min(start + 12, 40)) for start in range(0, 40, 12)]


OPEN: list[StreamedImages] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Closes what a test has opened."""
    yield
    while OPEN:
        OPEN.pop().close()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_order, "CHUNK_BYTES", 4 * 4 * BOX * BOX)
    monkeypatch.setattr(epoch_order, "SHUFFLED_BYTES", 16 * 4 * BOX * BOX)


@pytest.fixture
def stored(particles: Particles, tmp_path: Path) -> Particles:
    """The particles with their images in a file."""
    write_stack(tmp_path / "stack.mrcs", particles.images.read(np.arange(40)), 4.0)
    return replace(particles, images=FileImageStack.of_files([tmp_path / "stack.mrcs"]))


class Streamed:
    """Streamed images with a cache, and what is told of it."""

    def __init__(self, particles: Particles, folder: Path | None) -> None:
        lattice = Lattice(BOX)
        pixels = kept_pixels(None, lattice.disc(8))
        preparation = Preparation(lattice, pixels, True, window_mask(BOX, 0.85), (0.0, 2.0))
        self.told: list[str] = []
        cache = None if folder is None else CacheChoice(folder, self.told.append)
        images = run_to_end(prepare_images(particles, preparation, lazy=True, cache=cache))
        assert isinstance(images, StreamedImages)
        self.images = images
        OPEN.append(images)

    def epoch(self, epoch: int = 1) -> torch.Tensor:
        """All values of an epoch, in the order of the set."""
        order = self.images.order(5, epoch)
        values = torch.empty((40, len(self.images.preparation.pixels)))
        with self.images.batches(order, PLACES, CPU) as batches:
            for place, batch in zip(PLACES, batches, strict=True):
                values[order.positions[place]] = batch
        return values


def said(streamed: Streamed) -> str:
    return "\n".join(streamed.told)


def no_reading(*_: object) -> None:
    raise RuntimeError("the stack was read")


def test_an_epoch_gives_every_image_as_it_is_alone(stored: Particles) -> None:
    streamed = Streamed(stored, None)
    values = streamed.epoch()
    assert torch.equal(values, streamed.images.batch(torch.arange(40)))
    assert torch.equal(values, streamed.epoch(2))
    assert not any(thread.name == "read ahead" for thread in threading.enumerate())


def test_parts_of_batches_and_piece_borders(stored: Particles) -> None:
    streamed = Streamed(stored, None)
    order, every = streamed.images.order(1, 1), streamed.images.batch(torch.arange(40))
    for places in ([slice(3, 30)], [slice(0, 1), slice(15, 17), slice(39, 40)], PLACES[1:]):
        with streamed.images.batches(order, places, CPU) as batches:
            for place, batch in zip(places, batches, strict=True):
                assert torch.equal(batch, every[order.positions[place]])


def test_cache_is_written_in_the_first_epoch_and_found_again(
    stored: Particles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Streamed(stored, None).epoch()
    first = Streamed(stored, tmp_path / "cache")
    assert torch.equal(first.epoch(), plain)
    assert "All images are cached now" in said(first)
    (entry,) = entries(tmp_path / "cache")
    assert (entry.n_images, entry.box) == (40, BOX)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".images"]
    monkeypatch.setattr(StreamedImages, "_prepared", no_reading)
    assert torch.equal(first.epoch(2), plain)
    again = Streamed(stored, tmp_path / "cache")
    assert torch.equal(again.epoch(), plain)
    assert "taken from the cache" in said(again)


def test_low_frequencies_come_first_in_the_file(stored: Particles, tmp_path: Path) -> None:
    streamed = Streamed(stored, tmp_path / "cache")
    streamed.epoch()
    preparation = streamed.images.preparation
    values = preparation.normalised(stored.images.read(np.array([7])))[0]
    radius = preparation.lattice.coords[preparation.pixels].norm(dim=-1)
    near = values[radius < 0.2].half().numpy()
    (entry,) = entries(tmp_path / "cache")
    content = entry.path.read_bytes()
    row = cache_folder.HEADER_BYTES + 7 * 2 * len(values)
    stored_values = np.frombuffer(content[row : row + 2 * len(near)], "<f2")
    np.testing.assert_array_equal(np.sort(stored_values), np.sort(near))


def test_other_preparation_or_selection_has_another_cache(
    stored: Particles, tmp_path: Path
) -> None:
    streamed = Streamed(stored, tmp_path)
    preparation = streamed.images.preparation
    keys = [
        image_cache.cache_key(particles, given)
        for particles, given in (
            (stored, preparation),
            (stored, replace(preparation, invert=False)),
            (stored, replace(preparation, window=None)),
            (stored, replace(preparation, norm=(0.0, 2.5))),
            (stored.at(np.arange(39)), preparation),
            (stored.at(np.arange(40)[::-1]), preparation),
        )
    ]
    assert len({key.name for key in keys if key is not None}) == 6


@pytest.mark.parametrize("where", ["header", "row", "checksums", "short"])
def test_damaged_cache_is_made_again(stored: Particles, tmp_path: Path, where: str) -> None:
    expected = Streamed(stored, tmp_path).epoch()
    (entry,) = entries(tmp_path)
    content = bytearray(entry.path.read_bytes())
    place = {"header": 40, "row": 4096 + 3001, "checksums": len(content) - 9, "short": 0}[where]
    content[place] ^= 0x40
    entry.path.write_bytes(content[:-200] if where == "short" else content)
    mended = Streamed(stored, tmp_path)
    assert torch.equal(mended.epoch(), expected)
    assert "damaged" in said(mended)
    # Rows before the damaged one had been taken from the cache: an epoch more writes them.
    assert torch.equal(mended.epoch(2), expected)
    mended.images.close()
    again = Streamed(stored, tmp_path)
    assert torch.equal(again.epoch(), expected)
    assert "taken from the cache" in said(again)


def test_changed_stack_is_noticed(stored: Particles, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    before = Streamed(stored, folder).epoch()
    images = stored.images.read(np.arange(40))
    write_stack(tmp_path / "stack.mrcs", images[::-1].copy(), 4.0)
    os.utime(tmp_path / "stack.mrcs", ns=(1, 1))
    changed = Streamed(stored, folder)
    after = changed.epoch()
    assert "have changed since they were cached" in said(changed)
    assert torch.equal(after, Streamed(stored, None).epoch())
    assert not torch.equal(after, before)
    assert len(entries(folder)) == 1


def test_full_disk_goes_on_without(
    stored: Particles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    write = image_cache._write_all

    def full(file: object, content: memoryview) -> None:
        written.append(len(content))
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    monkeypatch.setattr(image_cache, "_write_all", full)
    streamed = Streamed(stored, tmp_path / "cache")
    assert torch.equal(streamed.epoch(), Streamed(stored, None).epoch())
    assert "no space left" in said(streamed)
    assert list((tmp_path / "cache").iterdir()) == []
    assert torch.equal(streamed.epoch(2), streamed.epoch())


def test_place_that_cannot_be_written_goes_on_without(stored: Particles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    streamed = Streamed(stored, tmp_path / "file" / "cache")
    assert torch.equal(streamed.epoch(), Streamed(stored, None).epoch())
    assert "not cached" in said(streamed)


def test_set_too_large_for_the_cache_goes_on_without(
    stored: Particles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cached_rows, "make_room", lambda folder, n_bytes: make_room(folder, n_bytes, 1000)
    )
    streamed = Streamed(stored, tmp_path / "cache")
    streamed.epoch()
    assert "the cache may take" in said(streamed)


def test_two_programs_at_once(stored: Particles, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    one, other = Streamed(stored, folder), Streamed(stored, folder)
    first, second = one.images, other.images
    order, expected = first.order(5, 1), Streamed(stored, None).epoch()
    with first.batches(order, PLACES, CPU) as some, second.batches(order, PLACES, CPU) as others:
        for place, a, b in zip(PLACES, some, others, strict=True):
            assert torch.equal(a, b)
            assert torch.equal(a, expected[order.positions[place]])
    assert len(list(folder.iterdir())) == 1
    assert torch.equal(Streamed(stored, folder).epoch(), expected)


def test_epoch_that_is_left_leaves_nothing(stored: Particles, tmp_path: Path) -> None:
    streamed = Streamed(stored, tmp_path / "cache")
    with streamed.images.batches(streamed.images.order(5, 1), PLACES, CPU) as batches:
        next(batches)
    streamed.images.close()
    assert list((tmp_path / "cache").iterdir()) == []
    assert not any(thread.name == "read ahead" for thread in threading.enumerate())


def test_bad_pixel_is_named_when_it_is_read(stored: Particles, tmp_path: Path) -> None:
    images = stored.images.read(np.arange(40))
    images[11, 3, 4] = np.inf
    write_stack(tmp_path / "stack.mrcs", images, 4.0)
    with pytest.raises(InputError, match=r"counted from 1\) = 24"):
        Streamed(stored, tmp_path / "cache").epoch()
    assert not any(thread.name == "read ahead" for thread in threading.enumerate())


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.images").write_bytes(b"0" * 1000)
        os.utime(tmp_path / f"{number}.images", (number, number))
    assert make_room(tmp_path, 1500, 4000) is None
    assert [entry.path.stem for entry in entries(tmp_path)] == ["3", "2"]
    assert make_room(tmp_path, 5000, 4000) is not None
    assert clean(tmp_path, keep_bytes=1000) == 1000
    assert clean(tmp_path) == 1000
    assert entries(tmp_path) == []


def test_leftovers_of_ended_programs_go(tmp_path: Path) -> None:
    ours = new_part(tmp_path / "a-b.images")
    ended = Path(str(ours).replace(f".{os.getpid()}.", ".4194999."))
    elsewhere = ours.with_name(".a-b.01234567.1.cafe.part")
    for path in (ours, ended, elsewhere):
        path.write_bytes(b"")
    clean(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([ours.name, elsewhere.name])
