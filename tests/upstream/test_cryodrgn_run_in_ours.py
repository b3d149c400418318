"""Runs trained by cryoDRGN 4.3.1, opened and decoded here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.simulate import SimulatedSet
from napari_cryodrgn.workflows.train import train

from .conftest import N_PARTICLES, SMALL, Upstream, relative_error

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(600)]

ENCODINGS = ("geom_ft", "geom_full", "geom_lowf", "geom_nohighf", "linear_lowf", "gaussian")
VAE_WORDS = ("--zdim", 4, "--enc-dim", 32, "--enc-layers", 2, "--dec-dim", 32, "--dec-layers", 2)


def upstream_vae(
    cryodrgn: Upstream, simulated: SimulatedSet, out: Path, *words: object
) -> RunFolder:
    cryodrgn(
        *("train_vae", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", out, *VAE_WORDS, "--no-analysis", "--seed", 2, *words),
    )
    return RunFolder.existing(out)


@pytest.fixture(scope="session")
def vae_run(cryodrgn: Upstream, simulated: SimulatedSet) -> RunFolder:
    return upstream_vae(cryodrgn, simulated, simulated.path.parent / "theirs-vae", "-n", 2)


def decoded_by_both(
    cryodrgn: Upstream, run: RunFolder, z: np.ndarray, folder: Path
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Our and cryoDRGN's volumes of the same latent points of epoch 1."""
    zfile = folder / "z.txt"
    np.savetxt(zfile, z)
    theirs = folder / "theirs"
    cryodrgn("eval_vol", run.weights(1), "-c", run.config, "--zfile", zfile, "-o", theirs)
    ours = run_to_end(decode(run, 1, z, folder / "ours", device="cpu"))
    return [(read_volume(path).data, read_volume(theirs / path.name).data) for path in ours]


def test_vae_run_opens_whole(vae_run: RunFolder) -> None:
    opened = open_run(vae_run.path)
    assert opened.problems == ()
    assert opened.epoch == 2
    assert opened.particles is not None
    assert opened.latent is not None
    assert opened.pixel_size == pytest.approx(opened.particles.pixel_size)
    assert {"defocus_u", "angle_tilt"} <= set(opened.latent.columns.columns)
    np.testing.assert_array_equal(opened.latent.mu, read_latents(vae_run.latents(2)).mu)
    assert opened.config is not None
    assert opened.config.seed == 2


def test_vae_run_decodes_equal(cryodrgn: Upstream, vae_run: RunFolder, tmp_path: Path) -> None:
    z = np.vstack([read_latents(vae_run.latents(1)).mu[:2], np.zeros((1, 4))])
    for ours, theirs in decoded_by_both(cryodrgn, vae_run, z, tmp_path):
        assert relative_error(ours, theirs) < 1e-5


@pytest.mark.parametrize(
    "words",
    [
        *(("--pe-type", name) for name in ENCODINGS if name != "gaussian"),
        ("--domain", "hartley"),
        ("--domain", "hartley", "--pe-type", "geom_ft", "--activation", "leaky_relu"),
        ("--encode-mode", "mlp", "--pe-dim", "8", "--feat-sigma", "1.5", "--enc-mask", "10"),
        ("--enc-dim", "64", "--uninvert-data", "--no-window", "--norm", "0", "3.5"),
    ],
    ids=" ".join,
)
def test_every_kind_of_network_decodes_equal(
    cryodrgn: Upstream, simulated: SimulatedSet, words: tuple[str, ...], tmp_path: Path
) -> None:
    run = upstream_vae(cryodrgn, simulated, tmp_path / "run", "-n", 1, *words)
    z = read_latents(run.latents(1)).mu[[4, 9]]
    for ours, theirs in decoded_by_both(cryodrgn, run, z, tmp_path):
        assert relative_error(ours, theirs) < 1e-5


def test_train_nn_run(cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path) -> None:
    cryodrgn(
        *("train_nn", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", tmp_path / "run", "-n", 1, "--dim", 32, "--layers", 2, "--seed", 0),
    )
    run = RunFolder.existing(tmp_path / "run")
    opened = open_run(run.path)
    assert opened.problems == ()
    assert opened.latent is None
    (ours,) = run_to_end(decode(run, 1, None, tmp_path / "ours", device="cpu"))
    theirs = read_volume(run.reconstruction(1)).data
    assert relative_error(read_volume(ours).data, theirs) < 1e-5


def test_train_dec_run(cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path) -> None:
    cryodrgn(
        *("train_dec", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", tmp_path / "run", "--zdim", 3, "-n", 1, "--dim", 32, "--layers", 2),
        *("--no-analysis", "--seed", 0),
    )
    run = RunFolder.existing(tmp_path / "run")
    opened = open_run(run.path)
    assert opened.problems == ()
    assert opened.latent is not None
    assert opened.latent.mu.shape == (N_PARTICLES, 3)
    for ours, theirs in decoded_by_both(cryodrgn, run, opened.latent.mu[:2], tmp_path):
        assert relative_error(ours, theirs) < 1e-5


def test_abinit_run(cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path) -> None:
    cryodrgn(
        *("abinit", simulated.stack, "--ctf", simulated.ctf, "-o", tmp_path / "run"),
        *("--zdim", 2, "--num-epochs", 1, "--epochs-pose-search", 1, "--n-imgs-pretrain", 64),
        *("--dim", 32, "--layers", 2, "--l-start", 4, "--l-end", 6, "--base-healpy", 1),
        *("--niter", 1, "--no-amp", "--no-analysis", "--seed", 0),
    )
    run = RunFolder.existing(tmp_path / "run")
    opened = open_run(run.path)
    assert opened.problems == ()
    assert opened.latent is not None
    assert opened.latent.mu.shape == (N_PARTICLES, 2)
    z = opened.latent.mu[3]
    theirs = tmp_path / "theirs.mrc"
    cryodrgn("eval_vol", run.weights(1), "-c", run.config, "-o", theirs, "-z", *z)
    (ours,) = run_to_end(decode(run, 1, z, tmp_path / "ours", device="cpu"))
    assert relative_error(read_volume(ours).data, read_volume(theirs).data) < 1e-5


@pytest.mark.data
def test_tilt_series_run(cryodrgn: Upstream, data_folder: Path, tmp_path: Path) -> None:
    data = data_folder / "cryodrgn-tests"
    cryodrgn(
        *("train_vae", data / "sta_testing_bin8.star", "--datadir", data),
        *("--poses", data / "sta_pose.pkl", "--ctf", data / "sta_ctf.pkl"),
        *("--encode-mode", "tilt", "--ntilts", 5, "-d", 2.93, "--zdim", 3, "-n", 1, "-b", 2),
        *("--enc-dim", 16, "--enc-layers", 1, "--dec-dim", 16, "--dec-layers", 1),
        *("--t-emb-dim", 8, "--tlayers", 1, "--tdim", 16, "--no-analysis", "--seed", 0),
        *("-o", tmp_path / "run"),
    )
    run = RunFolder.existing(tmp_path / "run")
    opened = open_run(run.path)
    assert opened.latent is not None
    assert opened.latent.mu.shape == (6, 3)
    for ours, theirs in decoded_by_both(cryodrgn, run, opened.latent.mu[:1], tmp_path):
        assert relative_error(ours, theirs) < 1e-5


def test_cryodrgns_analysis_is_kept_and_shown(
    cryodrgn: Upstream, vae_run: RunFolder, tmp_path: Path
) -> None:
    cryodrgn("analyze", vae_run.path, 2, "--ksample", 3, "--pc", 1)
    analysis = vae_run.analysis(2)
    before = {path: path.read_bytes() for path in analysis.path.rglob("*") if path.is_file()}
    opened = open_run(vae_run.path)
    assert opened.latent is not None
    assert "UMAP" in " ".join(opened.latent.embeddings).upper()
    assert {volume.group for volume in opened.volumes} == {"kmeans3", "pc1"}
    run_to_end(analyze(vae_run, 2, ksample=3, n_pcs=1, device="cpu"))
    after = {path: path.read_bytes() for path in before}
    changed = sorted(str(path) for path in before if before[path] != after[path])
    assert changed == []


def test_ours_continues_cryodrgns_run(
    cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path
) -> None:
    run = upstream_vae(cryodrgn, simulated, tmp_path / "run", "-n", 1)
    config = TrainingConfig(
        outdir=run.path,
        particles=simulated.stack,
        poses=simulated.poses,
        ctf=simulated.ctf,
        num_epochs=2,
        load="latest",
        device="cpu",
        **SMALL,
    )
    run_to_end(train(config))
    assert run.weight_epochs() == [1, 2]
    assert open_run(run.path).epoch == 2
