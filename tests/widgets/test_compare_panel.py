"""States compared in the Volume dock: side by side, difference, correlation; by real events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from scipy.ndimage import map_coordinates

from napari_cryodrgn.widgets.compare_panel import LESS_NAME, MORE_NAME
from napari_cryodrgn.widgets.opening import open_run_in
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.widgets.volume_layers import SURFACE_NAME

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(viewer, small_run, settle):
    dock = VolumeDock(viewer)
    viewer.window.add_dock_widget(dock, name="Volume", area="right")
    session = session_for(viewer)
    open_run_in(session, small_run.path)
    settle(lambda: session.volume is not None and SURFACE_NAME in viewer.layers)
    settle(lambda: dock.layers.painted is session.volume and session.volume.last)
    return dock


def pick(dock, settle, position):
    session = session_for(dock.viewer)
    session.pick(position)
    settle(lambda: session.volume.pick is not None and session.volume.pick.position == position)
    settle(lambda: dock.layers.painted is session.volume and session.volume.last)


def test_a_kept_state_is_compared_with_the_live_one(qtbot, dock, settle):
    panel, session = dock.compare, session_for(dock.viewer)
    assert "Keep a state" in panel.text.text()
    pick(dock, settle, 3)
    qtbot.mouseClick(dock.keep_button, LEFT)
    settle(lambda: "same volume" in panel.text.text() or "Correlation" in panel.text.text())
    pick(dock, settle, 90)
    dock.viewer.window._qt_window.show()
    panel.compare()
    settle(lambda: "Correlation" in panel.text.text())
    kept = dock.pins.pins[0].newest
    expected = np.corrcoef(kept.data.ravel(), session.volume.data.ravel())[0, 1]
    assert f"Correlation {expected:.4f}" in panel.text.text()
    assert panel.plot.curves_shown() == 1


def test_the_difference_is_red_where_the_second_has_more(qtbot, dock, settle):
    panel, viewer = dock.compare, dock.viewer
    pick(dock, settle, 3)
    qtbot.mouseClick(dock.keep_button, LEFT)
    pick(dock, settle, 90)
    panel.difference_box.setChecked(True)
    settle(lambda: MORE_NAME in viewer.layers and LESS_NAME in viewer.layers)
    first, second = dock.pins.pins[0].newest, session_for(viewer).volume
    difference = second.data - first.data
    level = panel.sigma_box.value() * difference.std()
    for name, sign in ((MORE_NAME, 1), (LESS_NAME, -1)):
        layer = viewer.layers[name]
        if (sign * difference).max() <= level:
            continue
        places = (layer.data[0] * [-1, 1, 1]).T
        along = map_coordinates(sign * difference, places, order=3, mode="nearest")
        assert np.median(along) == pytest.approx(level, rel=0.25)
    panel.difference_box.setChecked(False)
    settle(lambda: MORE_NAME not in viewer.layers and LESS_NAME not in viewer.layers)


def test_states_side_by_side_go_back_where_they_were(qtbot, dock, settle):
    pick(dock, settle, 3)
    qtbot.mouseClick(dock.keep_button, LEFT)
    layer = dock.pins.pins[0].layer
    before = np.array(layer.translate)
    dock.compare.beside_box.setChecked(True)
    QApplication.processEvents()
    assert np.linalg.norm(np.array(layer.translate) - before) > 10
    dock.compare.beside_box.setChecked(False)
    np.testing.assert_allclose(layer.translate, before)


def test_the_same_volume_twice_is_said_to_be_so(dock, settle):
    from napari_cryodrgn.widgets.compare_panel import _compared

    volume = session_for(dock.viewer).volume
    found = _compared(volume, replace(volume), 3.0)
    assert "same volume" in found.text
    assert found.more is None
