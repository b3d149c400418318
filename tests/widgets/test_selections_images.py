"""The images of a selection: lazily read, picked both ways, and marked by mouse and key."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.latent.space import make_latent_space
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.selection_marks import BAD_COLOUR, GOOD_COLOUR
from napari_cryodrgn.widgets.selections_images import NO_IMAGES, SelectedImages
from napari_cryodrgn.workflows.gallery_images import GalleryLook, gallery_images, phase_flipped
from napari_cryodrgn.workflows.open_run import open_run

pytestmark = pytest.mark.gui

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def particles(tiny_set):
    return read_particles(tiny_set / "particles.star")


@pytest.fixture
def panel(qtbot, small_run, particles, rng):
    """The 64 images of a simulated set, in another order than the table's."""
    session = Session()
    particles = particles.at(rng.permutation(64))
    mu = rng.normal(size=(64, 3)).astype(np.float32)
    latent = make_latent_space(mu, particles.rows, epoch=2)
    run = dataclasses.replace(open_run(small_run.path), particles=particles, latent=latent)
    panel = SelectedImages(session)
    book = session.selections
    book.changed.connect(panel.refresh)
    book.marks_changed.connect(panel.refresh_marks)
    session.picked.connect(panel.show_pick)
    qtbot.addWidget(panel)
    session.set_run(run)
    panel.resize(320, 420)
    panel.show()
    panel.follow()
    yield panel
    panel.shutdown()
    session.close()


def click(qtbot, panel, position, keys=NONE):
    qtbot.mouseClick(panel.tiles.viewport(), LEFT, keys, QPoint(*panel.tiles.centre_of(position)))


def test_what_is_in_view_is_read_and_nothing_else(panel, settle):
    tiles = panel.tiles
    settle(lambda: all(tiles.has_picture(p) for p in tiles.in_view().tolist()))
    assert not tiles.has_picture(63)
    assert panel.count_label.text().startswith("64 particles")
    tiles.verticalScrollBar().setValue(tiles.verticalScrollBar().maximum())
    settle(lambda: tiles.has_picture(63))
    mask = np.arange(64) % 9 == 4
    panel._book.apply(mask, "replace", "some")
    np.testing.assert_array_equal(tiles.positions, np.flatnonzero(mask))
    assert panel.count_label.text() == "7 selected particles"


def test_a_click_finds_the_point_and_a_pick_the_image(qtbot, panel, settle):
    session, tiles = panel._session, panel.tiles
    QApplication.processEvents()
    click(qtbot, panel, 4)
    assert session.pick_now.position == 4
    session.pick(60)
    assert tiles.current == 60
    assert 60 in tiles.in_view()
    row = session.latent.rows.rows[60]
    assert panel._describe(60).startswith(f"particle {row}")


def test_images_are_marked_by_mouse_and_key_and_each_is_undone(qtbot, panel):
    book = panel._book
    QApplication.processEvents()
    click(qtbot, panel, 1, SHIFT)
    click(qtbot, panel, 2, ALT)
    click(qtbot, panel, 3, ALT)
    assert [panel._colour(p) for p in range(4)] == [None, GOOD_COLOUR, BAD_COLOUR, BAD_COLOUR]
    click(qtbot, panel, 3, ALT)
    assert panel._colour(3) is None
    click(qtbot, panel, 0)
    qtbot.keyClick(panel.tiles, "B")
    qtbot.keyClick(panel.tiles, "G")
    assert np.flatnonzero(book.marks.bad).tolist() == [0, 2]
    assert np.flatnonzero(book.marks.good).tolist() == [1]
    assert panel.tiles.current == 2
    qtbot.keyClick(panel.tiles, "N")
    assert np.flatnonzero(book.marks.bad).tolist() == [0]
    book.undo()
    assert np.flatnonzero(book.marks.bad).tolist() == [0, 2]


def test_without_images_the_panel_says_so(panel):
    session = panel._session
    session.set_run(dataclasses.replace(session.run, particles=None))
    panel.follow()
    assert panel.hint.text() == NO_IMAGES
    assert not len(panel.tiles.positions)


def test_images_are_those_of_the_rows_and_bright_and_their_phases_flipped(particles, rng):
    chosen = particles.rows.at(rng.permutation(64)[:9])
    raw = particles.images.read(particles.rows.positions_of(chosen))
    shown = gallery_images(particles, chosen, GalleryLook(inverted=True))
    np.testing.assert_array_equal(shown, raw)
    np.testing.assert_array_equal(
        gallery_images(particles, chosen, GalleryLook(inverted=False)), -raw
    )
    ctf = particles.ctf.at(particles.rows.positions_of(chosen))
    flipped = phase_flipped(raw, ctf)
    np.testing.assert_allclose(phase_flipped(flipped, ctf), raw, atol=1e-4 * np.abs(raw).max())
    before, after = (np.abs(np.fft.rfft2(images)) for images in (raw, flipped))
    np.testing.assert_allclose(after, before, atol=1e-4 * before.max())
    # The zero frequency: negative for underfocus.
    np.testing.assert_allclose(flipped.mean((1, 2)), -raw.mean((1, 2)), atol=1e-4)
