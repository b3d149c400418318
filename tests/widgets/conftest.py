"""A display, viewers that are watched for leaks, and a run small enough to decode at once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

import napari_cryodrgn
from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.io.pickles import Latents, write_array, write_ctf, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.particles import CTFParameters
from napari_cryodrgn.run import RunFolder

BOX = 16
PIXEL_SIZE = 2.5
N_PARTICLES = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a display windows cannot be opened; napari's images need a real one."""
    there = (
        sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    for item in items:
        if item.get_closest_marker("gui") and not there:
            item.add_marker(pytest.mark.skip(reason="no display: run under xvfb-run"))


@pytest.fixture(autouse=True, scope="session")
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What windows remember for their user stays out of the home of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("user_data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platformdirs.user_data_path", lambda name: folder / name)
        yield


@pytest.fixture(scope="session")
def run_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs with random weights, the second one analysed."""
    import torch

    from napari_cryodrgn.model.checkpoint import write_checkpoint
    from napari_cryodrgn.model.vae import build_vae

    run = RunFolder(tmp_path_factory.mktemp("run") / "small")
    run.path.mkdir()
    model = ModelConfig(zdim=3, enc_layers=1, enc_dim=8, dec_layers=1, dec_dim=16)
    row = [2 * BOX, PIXEL_SIZE / 2, 15000, 14000, 30, 300, 2.7, 0.1, 0]
    ctf = run.path / "ctf.pkl"
    write_ctf(ctf, CTFParameters(np.tile(np.array(row, float), (N_PARTICLES, 1))))
    config = RunConfig(kind="vae", box=BOX, model=model, norm=(0.0, 3.0), ctf=str(ctf))
    write_run_config(run.config, config)
    rng = np.random.default_rng(0)
    labels = np.arange(N_PARTICLES) % 4
    for epoch in (1, 2):
        mu = rng.normal(size=(N_PARTICLES, 3)).astype(np.float32) + 3 * labels[:, None]
        write_latents(run.latents(epoch), Latents(mu, np.zeros_like(mu)))
        vae = build_vae(model, BOX, generator=torch.Generator().manual_seed(epoch))
        write_checkpoint(run.weights(epoch), epoch=epoch, model=vae)
    analysis = run.analysis(2)
    analysis.kmeans(4).mkdir(parents=True)
    write_array(analysis.umap, mu[:, :2])
    write_array(analysis.kmeans(4) / "labels.pkl", labels)
    return run.path


@pytest.fixture
def small_run(run_template: Path, tmp_path: Path) -> RunFolder:
    """A copy of it that a test may change."""
    return RunFolder(Path(shutil.copytree(run_template, tmp_path / "small")))


@pytest.fixture
def settle(qtbot) -> Callable[[Callable[[], bool]], None]:
    """Waits, with the window alive, until something is so."""

    def wait(condition: Callable[[], bool]) -> None:
        qtbot.waitUntil(condition, timeout=30_000)

    return wait


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer that is shown, so that its canvas takes real mouse events."""
    shown = make_napari_viewer(show=True)
    shown.window.resize(1200, 800)
    return shown


@pytest.fixture(scope="session")
def tiny_set_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated particle set: 64 images of 16 px, with CTF."""
    from napari_cryodrgn.progress import run_to_end
    from napari_cryodrgn.simulation.config import SimulationConfig
    from napari_cryodrgn.workflows.simulate import simulate

    out = tmp_path_factory.mktemp("simulated") / "set"
    config = SimulationConfig(n_particles=64, box=16, apix=16.0, snr=5.0, seed=3)
    return run_to_end(simulate(out, config))


@pytest.fixture
def tiny_set(tiny_set_template: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change: ``particles.star`` and what belongs to it."""
    return Path(shutil.copytree(tiny_set_template, tmp_path / "set"))


@pytest.fixture(scope="session", autouse=True)
def plugin() -> PluginManifest:
    """The plugin as napari knows it, installed or not.

    Before the first viewer: napari registers the commands of later ones once more.
    """
    manager = PluginManager.instance()
    manager.discover()
    if "napari-cryodrgn" not in manager:
        path = Path(napari_cryodrgn.__file__).with_name("napari.yaml")
        manager.register(PluginManifest.from_file(path))
    return manager.get_manifest("napari-cryodrgn")
