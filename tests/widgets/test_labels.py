"""Labels show what fits, and know the rest."""

from __future__ import annotations

import pytest

from napari_cryodrgn.widgets.labels import TwoLines

pytestmark = pytest.mark.gui

WORDS = "Drag: follow (UMAP: nearest particle) · Arrows (+Shift): nudge · Right drag: pan"


def shown(label: TwoLines) -> str:
    return str(super(TwoLines, label).text())


def test_no_line_is_cut_in_half(qtbot):
    label = TwoLines(WORDS)
    qtbot.addWidget(label)
    label.resize(300, label.minimumSizeHint().height() + 5)
    label.show()
    assert shown(label).endswith("…")
    assert shown(label)[:-1] == WORDS[: len(shown(label)) - 1]
    assert (label.text(), label.toolTip()) == (WORDS, WORDS)
    label.resize(300, label.sizeHint().height())
    assert shown(label) == WORDS
    label.setText("Short")
    assert (shown(label), label.text()) == ("Short", "Short")


def test_a_text_that_fits_in_one_line_is_whole(qtbot):
    label = TwoLines()
    qtbot.addWidget(label)
    label.resize(300, label.minimumSizeHint().height())
    label.show()
    label.setText("Short")
    assert shown(label) == "Short"
