"""The map of view directions: even for even views, full at its edge for top views."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.widgets.evidence_views import COLUMNS, ROWS, ViewPlot, view_counts


def test_even_views_fill_cells_evenly(rng: np.random.Generator) -> None:
    n = 200_000
    tilt = np.degrees(np.arccos(rng.uniform(-1, 1, n)))
    counts = view_counts(rng.uniform(-180, 180, n), tilt)
    assert counts.sum() == n
    expected = n / (ROWS * COLUMNS)
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_angles_have_their_places() -> None:
    counts = view_counts(np.array([-180.0, 0.0, 180.0, np.nan]), np.array([0.0, 92.0, 180.0, 9.0]))
    assert counts.sum() == 3
    assert counts[0, 0] == 1
    assert counts[ROWS // 2, COLUMNS // 2] == 1
    assert counts[ROWS - 1, 0] == 1


@pytest.mark.gui
def test_the_selection_stands_beside_all(qtbot, rng: np.random.Generator) -> None:
    plot = ViewPlot()
    qtbot.addWidget(plot)
    angles = rng.uniform(0, 180, (2, 50))
    plot.show_views(*angles, np.zeros(50, bool))
    assert plot.maps_shown() == 1
    plot.show_views(*angles, np.arange(50) < 9)
    assert plot.maps_shown() == 2
    plot.clear()
    assert plot.maps_shown() == 0
