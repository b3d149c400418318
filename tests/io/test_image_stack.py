"""Lazy image stacks: any order, any number of files, and what the checks find."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io import image_stack
from napari_cryodrgn.io.image_stack import ArrayImageStack, FileImageStack, check_images
from napari_cryodrgn.io.mrc import write_stack, write_volume
from napari_cryodrgn.progress import run_to_end


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """Twelve images in three files, and the same in memory."""
    folder = tmp_path_factory.mktemp("stacks")
    images = np.random.default_rng(1).normal(size=(12, 6, 6)).astype(np.float32)
    for number, part in enumerate(np.split(images, [5, 6])):
        write_stack(folder / f"{number}.mrcs", part, 1.25)
    return FileImageStack.of_files([folder / f"{n}.mrcs" for n in range(3)]), images


@given(st.lists(st.integers(0, 11), max_size=30))
def test_any_order_with_repetitions(spread, positions):
    stack, images = spread
    positions = np.array(positions, dtype=np.int64)
    np.testing.assert_array_equal(stack.read(positions), images[positions])
    np.testing.assert_array_equal(
        stack.at(positions).read(np.arange(len(positions))), images[positions]
    )


def test_long_runs_are_read_in_pieces(spread, monkeypatch):
    stack, images = spread
    monkeypatch.setattr(image_stack, "READ_BYTES", 300)
    np.testing.assert_array_equal(stack.read(np.arange(12)), images)


def test_properties(spread):
    stack, images = spread
    assert (len(stack), stack.box, stack.pixel_size) == (12, 6, 1.25)
    in_memory = ArrayImageStack(images, 1.25)
    assert (len(in_memory), in_memory.box, in_memory.pixel_size) == (12, 6, 1.25)
    np.testing.assert_array_equal(in_memory.at(np.array([3, 1])).read(np.array([1])), images[[1]])


def test_many_threads_and_another_process(spread):
    stack, images = spread
    with ThreadPoolExecutor(4) as pool:
        orders = [np.random.default_rng(seed).permutation(12) for seed in range(40)]
        for order, found in zip(orders, pool.map(stack.read, orders), strict=True):
            np.testing.assert_array_equal(found, images[order])
    copy = pickle.loads(pickle.dumps(stack))
    np.testing.assert_array_equal(copy.read(np.array([11, 0])), images[[11, 0]])


def test_thousands_of_files_need_no_open_files(tmp_path):
    resource = pytest.importorskip("resource")
    for number in range(150):
        write_stack(tmp_path / f"{number}.mrcs", np.full((1, 2, 2), number, np.float32), 1.0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    stack = FileImageStack.of_files([tmp_path / f"{n}.mrcs" for n in range(150)])
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    try:
        found = stack.read(np.arange(150)[::-1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    np.testing.assert_array_equal(found[:, 0, 0], np.arange(150)[::-1])


def test_headers_that_disagree_say_no_pixel_size(tmp_path):
    write_stack(tmp_path / "a.mrcs", np.zeros((1, 2, 2)), 1.0)
    write_stack(tmp_path / "b.mrcs", np.zeros((1, 2, 2)), 2.0)
    write_stack(tmp_path / "c.mrcs", np.zeros((1, 2, 2)), None)
    assert FileImageStack.of_files([tmp_path / "a.mrcs", tmp_path / "b.mrcs"]).pixel_size is None
    assert FileImageStack.of_files([tmp_path / "a.mrcs", tmp_path / "c.mrcs"]).pixel_size == 1.0
    assert FileImageStack.of_files([tmp_path / "c.mrcs"]).pixel_size is None


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(2, 4, 6)], ["square", "6 x 4"]),
        ([(2, 5, 5)], ["even", "box = 5"]),
        ([(2, 4, 4), (2, 6, 6)], ["differ", "0.mrcs", "box = 6", "4"]),
    ],
)
def test_bad_boxes(tmp_path, shapes, words):
    paths = [tmp_path / f"{n}.mrcs" for n in range(len(shapes))]
    for path, shape in zip(paths, shapes, strict=True):
        write_volume(path, np.zeros(shape), 1.0)
    with pytest.raises(InputError) as caught:
        FileImageStack.of_files(paths)
    for word in words:
        assert word in str(caught.value)


def test_bad_boxes_in_memory():
    for shape in [(1, 3, 3), (1, 2, 4)]:
        with pytest.raises(InputError, match="even side"):
            ArrayImageStack(np.zeros(shape, np.float32))


def test_section_beyond_the_end(tmp_path):
    write_stack(tmp_path / "a.mrcs", np.zeros((3, 4, 4)), 1.0)
    headers = FileImageStack.of_files([tmp_path / "a.mrcs"]).headers
    with pytest.raises(InputError, match="image 2 of the table is number 4") as caught:
        FileImageStack(headers, np.zeros(2, np.int64), np.array([0, 3]))
    assert "holds 3" in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_check_names_the_bad_image(tmp_path, bad):
    images = np.zeros((20, 4, 4), np.float32)
    images[13, 2, 1] = bad
    write_stack(tmp_path / "a.mrcs", np.zeros((3, 4, 4)), 1.0)
    write_stack(tmp_path / "b.mrcs", images, 1.0)
    stack = FileImageStack.of_files([tmp_path / "a.mrcs", tmp_path / "b.mrcs"])
    with pytest.raises(InputError, match="image 17 of 23") as caught:
        run_to_end(check_images(stack, chunk=5))
    assert "b.mrcs" in str(caught.value)
    assert "image number = 14" in str(caught.value)
    with pytest.raises(InputError, match="image 14 of 20"):
        run_to_end(check_images(ArrayImageStack(images)))
    # The same set without the bad one is fine.
    run_to_end(check_images(stack.at(np.delete(np.arange(23), 16)), chunk=5))


def test_check_reports_progress(spread):
    stack, _images = spread
    reports = list(check_images(stack, chunk=5))
    assert [report.done for report in reports] == [5, 10, 12]
    assert reports[-1].fraction == 1


def test_files_that_shrink_or_vanish(tmp_path):
    write_stack(tmp_path / "a.mrcs", np.zeros((3, 4, 4)), 1.0)
    stack = FileImageStack.of_files([tmp_path / "a.mrcs"])
    with (tmp_path / "a.mrcs").open("r+b") as file:
        file.truncate(1024 + 150)
    with pytest.raises(InputError, match="ends 42 bytes before image 3") as caught:
        stack.read(np.array([2, 0]))
    assert "a.mrcs" in str(caught.value)
    (tmp_path / "a.mrcs").unlink()
    with pytest.raises(InputError, match="any more"):
        run_to_end(check_images(stack))
