"""Several changes of what is visible, laid out once.

Qt lays a window out anew within each ``setVisible``, and an OpenGL canvas that is resized
paints itself at once: four rows that come and go cost four frames before the window answers.
"""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLayout, QWidget


def lay_out_later(*widgets: QWidget) -> None:
    """Lay these widgets out in the next turn of the event loop, and not before."""
    for widget in widgets:
        layout = widget.layout()
        if layout is not None and layout.isEnabled():
            layout.setEnabled(False)
            QTimer.singleShot(0, widget, partial(_lay_out, layout))


def _lay_out(layout: QLayout) -> None:
    layout.setEnabled(True)
    layout.activate()
