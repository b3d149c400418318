from __future__ import annotations

import importlib.util
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.latent_plot import plot_classes, plot_quantity
from napari_cryodrgn.export.layout import blank, captioned, tiled, with_scale_bar, write
from napari_cryodrgn.export.movie import movie_ending, write_movie, write_picture
from napari_cryodrgn.export.palette import (
    BACKGROUND,
    CATEGORIES,
    MISSING,
    PICK,
    TEXT,
    category_colour,
    scale_colours,
)
from napari_cryodrgn.progress import run_to_end

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_points_lie_where_their_coordinates_say() -> None:
    plot = plot_classes(CORNERS, np.arange(4), list("abcd"), size=200, legend=False)
    pixels = plot.pixels(CORNERS)
    for number, (x, y) in enumerate(pixels):
        assert tuple(plot.picture[round(y), round(x)]) == category_colour(number)
    # y goes up.
    assert pixels[2, 1] < pixels[0, 1]
    assert pixels[1, 0] > pixels[0, 0]


def test_a_mark_is_a_ring_about_its_place() -> None:
    plot = plot_classes(CORNERS, np.zeros(4, int), ["all"], size=200)
    marked = plot.marked([5.0, 5.0], radius=8)
    x, y = np.rint(plot.pixels([[5.0, 5.0]])[0]).astype(int)
    assert tuple(marked[y, x]) == tuple(plot.picture[y, x])
    assert tuple(marked[y, x + 7]) == PICK
    assert (plot.marked([5.0, 5.0]) != plot.picture).any()


def test_quantities_run_along_the_scale_and_missing_ones_are_grey() -> None:
    plot = plot_quantity(
        CORNERS, np.array([0, 1, 0.5, np.nan]), low=0, high=1, ends=("low", "high"), size=200
    )
    seen = [tuple(plot.picture[round(y), round(x)]) for x, y in plot.pixels(CORNERS)]
    assert seen == [(68, 1, 84), (253, 231, 37), (33, 144, 141), MISSING]
    assert scale_colours(np.array([-3.0, 4.0])).tolist() == [[68, 1, 84], [253, 231, 37]]


def test_one_particle_alone_can_be_plotted() -> None:
    plot = plot_classes(np.array([[3.0, 4.0]]), np.zeros(1, int), ["it"], size=100)
    x, y = plot.pixels([[3.0, 4.0]])[0]
    assert (x, y) == pytest.approx((50, 50))


def test_colours_are_those_of_the_window() -> None:
    theme = pytest.importorskip("napari_cryodrgn.widgets.theme")
    shown = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in CATEGORIES)
    assert shown == theme.CATEGORY_COLOURS
    assert "#{:02x}{:02x}{:02x}".format(*MISSING) == theme.MISSING_COLOUR
    assert "#{:02x}{:02x}{:02x}".format(*PICK) == theme.PICK_COLOUR


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    picture = with_scale_bar(blank(240, 240), angstrom_per_pixel=1.25)
    row = picture[240 - 15]
    # 30 % of 300 Å are 90: the longest round length below is 50.
    assert int((row == TEXT).all(axis=1).sum()) == round(50 / 1.25)


def test_angstrom_is_written_with_its_ring() -> None:
    without, with_ring = (write(blank(60, 40), text, (10, 10), size=20) for text in ("5 A", "5 Å"))
    rows, columns = np.nonzero((without != with_ring).any(axis=2))
    letter_rows = np.nonzero((without != BACKGROUND).any(axis=(1, 2)))[0]
    assert rows.size
    assert rows.max() <= letter_rows.min() + 2
    assert columns.min() > 20


def test_tiles_and_captions_keep_the_pictures() -> None:
    pictures = [blank(20, 10, (number, 0, 0)) for number in range(5)]
    sheet = tiled(pictures, 3, gap=2)
    assert sheet.shape == (22, 64, 3)
    assert (sheet[12:22, 22:42] == pictures[4]).all()
    assert (sheet[12:22, 44:64] == BACKGROUND).all()
    assert (captioned(pictures[3], "three", "of them")[:10] == pictures[3]).all()


# imageio's ffmpeg reader, which only this test uses, leaves its pipes to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_movies_hold_their_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert movie_ending() == ending
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]
    frames = (blank(50, 30, colour) for colour in colours)
    path = run_to_end(write_movie(tmp_path / "morph", frames, 4, frames_per_second=5))
    assert path == tmp_path / f"morph{ending}"
    read = imageio.imread(path)
    assert read.shape == (4, 30, 50, 3)
    for frame, colour in zip(read, colours, strict=True):
        assert np.abs(frame[8, 8].astype(int) - colour).max() < 16


def test_a_movie_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    task = write_movie(tmp_path / "morph", (blank(32, 32) for _ in range(9)), 9)
    next(task)
    next(task)
    task.close()

    def broken() -> object:
        yield blank(32, 32)
        raise RuntimeError("no more frames")

    with pytest.raises(RuntimeError, match="no more frames"):
        run_to_end(write_movie(tmp_path / "morph", broken(), 2))
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_written_whole(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        imageio.imread(write_picture(tmp_path / "a.png", picture)), picture
    )
    with pytest.raises(InputError, match="does not exist"):
        write_picture(tmp_path / "missing" / "a.png", picture)
