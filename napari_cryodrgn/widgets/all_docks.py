"""All docks with one click in the Plugins menu."""

from __future__ import annotations

from functools import partial

from napari import current_viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_cryodrgn.widgets.docks import open_all
from napari_cryodrgn.widgets.latent_dock import LatentDock


def all_docks() -> QWidget:
    """The Latent space dock, which has the others join it once napari has taken it in.

    npe2 knows widgets only, and napari hands none of them to functions.
    """
    viewer = current_viewer()
    if viewer is None:
        raise RuntimeError("docks need a napari window")
    QTimer.singleShot(0, partial(open_all, viewer))
    return LatentDock(viewer)
