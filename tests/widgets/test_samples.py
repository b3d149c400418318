"""*File > Open Sample*: made in a worker thread, then opened in the docks."""

from __future__ import annotations

import pytest

from napari_cryodrgn.progress import Progress
from napari_cryodrgn.widgets import samples
from napari_cryodrgn.widgets.docks import LATENT, PARTICLES, find_dock
from napari_cryodrgn.widgets.sessions import session_for

pytestmark = pytest.mark.gui

NAME = "napari-cryodrgn"


def made(result):
    """A task in place of the making, which takes minutes and has tests of its own."""

    def task():
        yield Progress(0, 1, "Making it")
        return result

    return task


def test_the_particles_open_in_their_dock(viewer, tiny_set, settle, monkeypatch):
    monkeypatch.setattr(samples, "_particles", made(tiny_set / "particles.star"))
    assert viewer.open_sample(NAME, "simulated_particles") == []
    settle(lambda: session_for(viewer).particles is not None)
    assert find_dock(viewer, PARTICLES).files.path == tiny_set / "particles.star"


def test_the_run_opens_in_the_latent_space(viewer, small_run, settle, monkeypatch):
    monkeypatch.setattr(samples, "_run", made(small_run))
    assert viewer.open_sample(NAME, "trained_run") == []
    settle(lambda: session_for(viewer).run is not None)
    assert session_for(viewer).run.folder.path == small_run.path
    assert find_dock(viewer, LATENT) is not None


def test_the_tasks_make_what_the_workflow_makes(tmp_path, monkeypatch):
    from napari_cryodrgn.workflows import samples as workflow

    monkeypatch.setattr(workflow, "simulated_particles", made(tmp_path / "p.star"))
    monkeypatch.setattr(workflow, "sample_run", made(tmp_path / "run"))
    for make, expected in ((samples._particles, "p.star"), (samples._run, "run")):
        task = make()
        next(task)
        with pytest.raises(StopIteration) as end:
            next(task)
        assert end.value.value == tmp_path / expected
