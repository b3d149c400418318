"""The entry of the Plugins menu that opens all docks."""

from __future__ import annotations

import pytest

from napari_cryodrgn.widgets.docks import CLASSES, PARTICLES, TRAIN, find_dock, open_dock

pytestmark = pytest.mark.gui

NAME = "napari-cryodrgn"


def test_all_docks_open_once_and_the_stand_in_goes(viewer, settle):
    before = open_dock(viewer, TRAIN)
    viewer.window.add_plugin_dock_widget(NAME, "All docks")
    settle(lambda: len(viewer.window.dock_widgets) == len(CLASSES))
    assert all(find_dock(viewer, name) is not None for name in CLASSES)
    assert find_dock(viewer, TRAIN) is before
    assert not any("All docks" in name for name in viewer.window.dock_widgets)


def test_the_train_dock_leads_to_the_particles(viewer, qtbot, settle):
    train = open_dock(viewer, TRAIN)
    train.particles_button.click()
    dock = find_dock(viewer, PARTICLES)
    assert dock is not None
    settle(dock.isVisible)
