"""What becomes of an OpenGL canvas when its dock is made a window of its own.

Qt then gives the canvas another OpenGL context, in which nothing exists that was drawn with the
first one: vispy fails with every paint. Where all contexts are shared Qt keeps the first one.
That must be asked for before there is an application, so that our own window has it; within a
napari that was started otherwise, a dock with a canvas stays where it is.

What is shared outlives the canvas that made it: textures, buffers and compiled programs of a
window that is closed stay in memory, about 80 MB a window, unless they are deleted one by one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, Qt
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QDockWidget
from vispy.gloo.glir import GlirFrameBuffer

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


def free_at_the_end(canvas: Any) -> None:
    """Have all that a canvas has drawn with deleted when it goes, where contexts are shared.

    Parameters
    ----------
    canvas : vispy.app.Canvas
        Drawn by Qt.
    """
    if QCoreApplication.testAttribute(SHARING):
        canvas.native.destroyed.connect(partial(_free, canvas.context.shared.parser))


def _free(parser: Any, *_: object) -> None:
    """Delete it in a context of its own: that of the canvas is gone by now."""
    shared, before = QOpenGLContext.globalShareContext(), QOpenGLContext.currentContext()
    if shared is None:  # the application is ending, and all of it with it
        return
    before_on = before.surface() if before is not None else None
    context, surface = QOpenGLContext(), QOffscreenSurface()
    context.setShareContext(shared)
    context.setFormat(shared.format())
    surface.setFormat(shared.format())
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return
    for drawn in parser._objects.values():
        # Framebuffers are not shared, and went with their context. A word stands for what was
        # deleted just before.
        if hasattr(drawn, "delete") and not isinstance(drawn, GlirFrameBuffer):
            drawn.delete()
    parser._objects.clear()
    context.doneCurrent()
    if before is not None:
        before.makeCurrent(before_on)


def _hold(frame: QDockWidget, *_: object) -> None:
    if frame.features() & TAKING_OFF:
        frame.setFeatures(frame.features() & ~TAKING_OFF)
