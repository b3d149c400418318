"""PCA, traversals along it, and UMAP in its own process."""

from __future__ import annotations

import errno
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent import embedding
from napari_cryodrgn.latent.embedding import fit_umap, principal_components, start_umap
from napari_cryodrgn.latent.traversal import pc_traversal
from napari_cryodrgn.latent.umap_process import UmapProcess, fraction_reported
from napari_cryodrgn.progress import Progress


def test_components_give_back_the_latents(rng: np.random.Generator) -> None:
    mu = (rng.normal(size=(200, 5)) * [5, 3, 2, 1, 0.5]).astype(np.float32)
    components = principal_components(mu)
    np.testing.assert_allclose(components.to_z(components.coordinates), mu, atol=1e-4)
    assert components.explained.sum() == pytest.approx(1)
    assert (np.diff(components.explained) <= 0).all()


@pytest.mark.parametrize("mu", [np.zeros((1, 3)), np.ones((10, 3)), np.zeros((2, 8))])
def test_components_of_next_to_nothing_are_finite(mu: np.ndarray) -> None:
    components = principal_components(mu.astype(np.float32))
    assert np.isfinite(components.coordinates).all()
    assert np.isfinite(components.explained).all()


@pytest.mark.data
@pytest.mark.parametrize("number", [1, 2])
def test_traversal_of_a_published_run_is_that_of_its_analysis(
    data_folder: Path, number: int
) -> None:
    run = data_folder / "cftr-cryodrgn-demo" / "train"
    with (run / "z.20.pkl").open("rb") as file:
        components = principal_components(pickle.load(file))
    expected = np.loadtxt(run / "analyze.20" / f"pc{number}" / "z_values.txt")
    np.testing.assert_allclose(pc_traversal(components, number), expected, atol=2e-6)


def test_a_component_that_is_not_there_is_named(rng: np.random.Generator) -> None:
    components = principal_components(rng.normal(size=(20, 2)).astype(np.float32))
    with pytest.raises(InputError, match="--pc = 3: the latent space has 2"):
        pc_traversal(components, 3)


def test_umap_separates_clusters_and_is_repeatable(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(60, 4)).astype(np.float32)
    mu[30:] += 20
    reports: list[Progress] = []

    def fit(seed: int) -> np.ndarray:
        task = fit_umap(mu, seed=seed)
        while True:
            try:
                reports.append(next(task))
            except StopIteration as stop:
                return stop.value

    first = fit(1)
    assert first.shape == (60, 2)
    assert first.dtype == np.float32
    gap = np.linalg.norm(first[:30].mean(axis=0) - first[30:].mean(axis=0))
    assert gap > 3 * first[:30].std(axis=0).max()
    fractions = [report.done for report in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    np.testing.assert_array_equal(fit(1), first)


def test_closing_the_task_kills_the_process_at_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[UmapProcess] = []

    def remember(*args: object, **settings: object) -> UmapProcess:
        started.append(UmapProcess(*args, **settings))  # type: ignore[arg-type]
        return started[0]

    monkeypatch.setattr(embedding, "UmapProcess", remember)
    task = fit_umap(rng.normal(size=(100, 4)).astype(np.float32))
    next(task)
    began = time.monotonic()
    task.close()
    assert time.monotonic() - began < 2
    process = started[0]
    assert process.finished()
    assert not Path(process._folder.name).exists()


@pytest.mark.skipif(os.name == "nt", reason="looks at the process table of a Unix system")
def test_the_process_ends_when_its_parent_is_gone(rng: np.random.Generator) -> None:
    with start_umap(rng.normal(size=(100, 4)).astype(np.float32)) as process:
        # What the system does to the pipe of a parent that is killed.
        assert process._process.stdin is not None
        process._process.stdin.close()
        assert process._process.wait(30) == 1


def test_a_failure_of_umap_is_reported_with_its_words() -> None:
    process = UmapProcess(np.zeros((10, 2), np.float32), n_neighbors=5, min_dist=-1.0, seed=None)
    with process, pytest.raises(RuntimeError, match="min_dist"):
        process.result()


@pytest.mark.parametrize("how", ["an error", "killed by the system"])
def test_full_memory_says_to_fit_fewer_particles(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    (tmp_path / "umap.py").write_text(
        "raise MemoryError('Unable to allocate 9 TiB')"
        if how == "an error"
        else "import os; os.kill(os.getpid(), 9)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start_umap(rng.normal(size=(100, 4)).astype(np.float32))
    with process, pytest.raises(InputError, match=r"computer's memory is full.*landmarks"):
        process.result()


def test_no_room_for_what_is_fitted_is_told(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match=r"no space left.*TMPDIR"):
        start_umap(rng.normal(size=(100, 4)).astype(np.float32))


def test_umap_refuses_what_it_cannot_embed() -> None:
    with pytest.raises(InputError, match="at least 5 particles, and there are 4"):
        start_umap(np.zeros((4, 3), np.float32))
    mu = np.zeros((9, 3), np.float32)
    mu[4, 1] = np.nan
    with pytest.raises(InputError, match="particle at position = 4: 1 particles"):
        start_umap(mu)


def test_progress_is_read_from_what_umap_writes() -> None:
    assert fraction_reported("") == 0
    assert 0 < fraction_reported("started\n") < fraction_reported("started\nimported\n") < 0.5
    assert fraction_reported("imported\nepoch 100/200\n\tcompleted 100\n") == 0.75
