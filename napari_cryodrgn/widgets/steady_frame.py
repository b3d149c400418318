"""What becomes of an OpenGL canvas when its dock is made a window of its own.

Qt then gives the canvas another OpenGL context, in which nothing exists that was drawn with the
first one: vispy fails with every paint. Where all contexts are shared Qt keeps the first one.
That must be asked for before there is an application, so that our own window has it; within a
napari that was started otherwise, a dock with a canvas stays where it is.
"""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QCoreApplication, Qt
from qtpy.QtWidgets import QDockWidget

SHARING = Qt.ApplicationAttribute.AA_ShareOpenGLContexts
TAKING_OFF = (
    QDockWidget.DockWidgetFeature.DockWidgetFloatable
    | QDockWidget.DockWidgetFeature.DockWidgetMovable
)


def share_contexts() -> None:
    """Have canvases keep what they have drawn wherever they go; too late with an application."""
    if QCoreApplication.instance() is None:
        QCoreApplication.setAttribute(SHARING)


def steady(frame: QDockWidget) -> None:
    """Keep a dock with a canvas within its window, unless contexts are shared."""
    if QCoreApplication.testAttribute(SHARING):
        return
    _hold(frame)
    frame.featuresChanged.connect(partial(_hold, frame))  # napari gives them back
    button = getattr(getattr(frame, "title", None), "float_button", None)
    if button is not None:
        button.hide()


def _hold(frame: QDockWidget, *_: object) -> None:
    if frame.features() & TAKING_OFF:
        frame.setFeatures(frame.features() & ~TAKING_OFF)
