"""*File > Open Sample*: made once on the user's machine, in a worker thread, then opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task

if TYPE_CHECKING:
    from napari import Viewer

# The docks are imported when a sample is opened: the menu needs the addresses alone.


def open_sample_particles(viewer: Viewer) -> TaskHandle:
    """Make the simulated particles, unless they are there, and open them."""
    from napari_cryodrgn.widgets.docks import PARTICLES, open_dock

    dock = open_dock(viewer, PARTICLES)
    task = start_task(_particles, "Simulating particles", done=dock.open_path)
    dock.tasks.follow(dock.own(task))
    return task


def open_sample_run(viewer: Viewer) -> TaskHandle:
    """Train the small run, unless it is there, and open it: one or two minutes the first time."""
    from napari_cryodrgn.widgets.docks import LATENT, VOLUME, open_dock

    open_dock(viewer, VOLUME)
    dock = open_dock(viewer, LATENT)

    def show(run: RunFolder) -> None:
        dock.open_run(run.path)

    task = start_task(_run, "Making the sample run", done=show)
    dock.tasks.follow(dock.own(task))
    return task


OPENERS: dict[str, Callable[[Viewer], TaskHandle]] = {
    "napari-cryodrgn://particles": open_sample_particles,
    "napari-cryodrgn://run": open_sample_run,
}
"""What opens each sample, by the address that the manifest gives it."""


def _particles() -> Task[Path]:
    """Import what simulates only in the worker thread: it brings torch."""
    from napari_cryodrgn.workflows.samples import simulated_particles

    return (yield from simulated_particles())


def _run() -> Task[RunFolder]:
    from napari_cryodrgn.workflows.samples import sample_run

    return (yield from sample_run())
