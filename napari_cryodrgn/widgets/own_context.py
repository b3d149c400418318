"""What a removed layer was drawn with is deleted where it was drawn.

On the removal of a layer napari has vispy delete the layer's programs, buffers and textures at
once, in whatever OpenGL context is the current one. In a window with a second canvas, as that of
our latent plot, this is often the other canvas's. Mesa then draws with a shader that is gone, and
the program dies at one of the next clicks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from qtpy.compat import isalive

if TYPE_CHECKING:
    from napari.components import ViewerModel

_CONNECTED: WeakSet[Any] = WeakSet()


def delete_in_own_context(viewer: ViewerModel) -> None:
    """Make a viewer's canvas the current one before what drew a removed layer is deleted.

    Parameters
    ----------
    viewer : napari viewer
        Itself, not the proxy that plugins are given. One without a window draws nothing.
    """
    window = getattr(viewer, "window", None)
    if window is None or viewer in _CONNECTED:
        return
    _CONNECTED.add(viewer)
    # The viewer outlives its canvas where somebody holds it after its window was closed.
    make_current = partial(_make_current, ref(window._qt_viewer.canvas._scene_canvas))
    # napari deletes at "removed", before anybody else hears of it, or, where several layers go at
    # once, after everybody has heard of the last one.
    for event in ("removing", "removed"):
        getattr(viewer.layers.events, event).connect(make_current)


def _make_current(canvas: ref[Any], *_: object) -> None:
    there = canvas()
    if there is not None and isalive(there.native):
        there.set_current()
