"""Opening particles, runs and epochs without holding up the window."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cryodrgn.session import Session, particle_config, reading_particles, reading_run
from napari_cryodrgn.widgets.tasks import Failure, TaskHandle, start_task

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.open_run import OpenRun


def open_run_in(
    session: Session,
    path: str | Path,
    epoch: int | None = None,
    *,
    before: OpenRun | None = None,
) -> TaskHandle:
    """Read a run in a worker thread, then show it in the session.

    Parameters
    ----------
    session : Session
        Where to show it; failures become messages of it.
    path : path-like
        The run folder.
    epoch : int, optional
        Which epoch; the latest with latents if not given.
    before : OpenRun, optional
        The same run as it was opened before, of which only the epoch is new.
    """
    return start_task(
        partial(reading_run, path, epoch, before),
        f"Opening {Path(path).name}",
        done=session.set_run,
        failed=partial(tell_failure, session),
    )


def open_particles_in(session: Session, path: str | Path, **options: Any) -> TaskHandle:
    """Read and check a particle set in a worker thread, then make it the session's."""
    config = particle_config(path, options)
    return start_task(
        partial(reading_particles, path, **options),
        f"Reading {Path(path).name}",
        done=partial(session.set_particles, config=config),
        failed=partial(tell_failure, session),
    )


def follow_training(session: Session, folder: str | Path) -> TaskHandle | None:
    """After a training has finished an epoch: show it, unless an older one is being looked at.

    Returns
    -------
    TaskHandle or None
        The reading of the new epoch; None where the session stays as it is.
    """
    following = session.following
    here = session.run is not None and session.run.folder.path == Path(folder).absolute()
    if here:
        session.refresh_epochs()
        if not following:
            return None
    return open_run_in(session, folder, before=session.run)


def reload_run(session: Session, run: OpenRun) -> TaskHandle:
    """Read the epoch shown again, for example when it has been analysed."""
    return open_run_in(session, run.folder.path, run.epoch)


def tell_failure(session: Session, failure: Failure) -> None:
    """Make a failed task a message of the session."""
    session.say(failure.message, "error", failure.details)
