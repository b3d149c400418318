"""Colours of the live surface: by a difference, by local change, and plain again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from napari_cryodrgn.widgets.opening import open_run_in
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.volume_colours import CHANGE, DIFFERENCE, FIRST, PLAIN, RECENT
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.widgets.volume_layers import SURFACE_NAME

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, small_run, settle):
    dock = VolumeDock(viewer)
    viewer.window.add_dock_widget(dock, name="Volume", area="right")
    open_run_in(session_for(viewer), small_run.path)
    at_rest(dock, settle)
    return dock


def at_rest(dock, settle):
    session = session_for(dock.viewer)
    settle(lambda: session.volume is not None and SURFACE_NAME in dock.viewer.layers)
    settle(lambda: dock.layers.painted is session.volume and session.volume.last)


def choose(box, text):
    index = box.findText(text)
    assert index >= 0
    box.setCurrentIndex(index)
    box.activated.emit(index)


def pick(dock, settle, position):
    session = session_for(dock.viewer)
    session.pick(position)
    settle(lambda: session.volume.pick is not None and session.volume.pick.position == position)
    at_rest(dock, settle)


def test_the_surface_shows_where_it_differs_from_the_first_state(dock, settle):
    session, surface = session_for(dock.viewer), dock.viewer.layers[SURFACE_NAME]
    first = session.volume
    choose(dock.colours.mode, DIFFERENCE)
    choose(dock.colours.reference, FIRST)
    pick(dock, settle, 90)
    settle(lambda: len(np.unique(surface.data[2])) > 1)
    settle(lambda: surface.colormap.name == "PiYG")
    low, high = surface.contrast_limits
    assert low == pytest.approx(-high)
    places = dock.layers._mesh.vertices.T
    there = [
        map_coordinates(volume.data, places, order=1, mode="nearest")
        for volume in (session.volume, first)
    ]
    np.testing.assert_allclose(surface.data[2], there[0] - there[1], atol=1e-5)
    assert "Green" in dock.colours.note.text()
    choose(dock.colours.mode, PLAIN)
    settle(lambda: surface.colormap.name.startswith("plain"))
    assert tuple(surface.contrast_limits) == (0, 1)
    assert len(np.unique(surface.data[2])) == 1


def test_local_change_is_the_spread_of_the_states_visited(dock, settle):
    session, surface = session_for(dock.viewer), dock.viewer.layers[SURFACE_NAME]
    choose(dock.colours.mode, CHANGE)
    choose(dock.colours.reference, RECENT)
    assert "Visit two states" in dock.colours.note.text()
    volumes = [session.volume.data]
    for position in (90, 30):
        pick(dock, settle, position)
        volumes.append(session.volume.data)
    spread = np.std(volumes, axis=0)
    settle(lambda: surface.colormap.name == "viridis")

    def fits():
        expected = map_coordinates(spread, dock.layers._mesh.vertices.T, order=1, mode="nearest")
        values = surface.data[2]
        return len(values) == len(expected) and np.allclose(values, expected, atol=1e-4)

    settle(fits)


def test_all_states_are_decoded_beside_the_window(dock, settle):
    choose(dock.colours.mode, CHANGE)
    settle(lambda: dock.colours.colouring is not None)
    settle(lambda: dock.colours._spread.number == dock.colours._wanted)
    assert "varies most" in dock.colours.note.text()
