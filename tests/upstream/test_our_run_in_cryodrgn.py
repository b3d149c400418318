"""Our run folders, opened by cryoDRGN 4.3.1 itself: every command runs unchanged."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
import yaml

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.loss import vae_loss
from napari_cryodrgn.training.step import predict
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.simulate import SimulatedSet
from napari_cryodrgn.workflows.train_inputs import gather_inputs

from .conftest import N_PARTICLES, SMALL, Upstream, relative_error, train_ours

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(600)]


def z_of(run: RunFolder, epoch: int) -> np.ndarray:
    return read_latents(run.latents(epoch)).mu


def test_analyze(cryodrgn: Upstream, our_run: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "analysis"
    cryodrgn("analyze", our_run.path, 2, "--ksample", 3, "--pc", 1, "-o", out)
    assert (out / "umap.pkl").is_file()
    volumes = sorted(out.glob("kmeans3/vol_*.mrc")) + sorted(out.glob("pc1/vol_*.mrc"))
    assert len(volumes) == 3 + 10
    truth = open_run(our_run.path).pixel_size
    with mrcfile.open(volumes[0]) as volume:
        assert volume.voxel_size.x == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize("which", ["our_run", "our_run_from_star"])
def test_eval_vol_equals_our_decode(
    cryodrgn: Upstream, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run: RunFolder = request.getfixturevalue(which)
    epoch = run.weight_epochs()[-1]
    z = np.vstack([np.zeros(4), z_of(run, epoch)[[3, 50]], [1, -2, 0.5, 3]])
    zfile = tmp_path / "z.txt"
    np.savetxt(zfile, z)
    theirs = tmp_path / "theirs"
    weights, config = run.weights(epoch), run.config
    cryodrgn("eval_vol", weights, "-c", config, "--zfile", zfile, "-o", theirs, "--Apix", 8)
    ours = run_to_end(decode(run, epoch, z, tmp_path / "ours", device="cpu"))
    for path in ours:
        assert relative_error(read_volume(path).data, read_volume(theirs / path.name).data) < 1e-5


def test_eval_vol_downsampled_equals_our_decode(
    cryodrgn: Upstream, our_run: RunFolder, tmp_path: Path
) -> None:
    z = z_of(our_run, 2)[7]
    theirs = tmp_path / "theirs.mrc"
    weights, config = our_run.weights(2), our_run.config
    cryodrgn("eval_vol", weights, "-c", config, "-d", 16, "-o", theirs, "-z", *z)
    (ours,) = run_to_end(decode(our_run, 2, z, tmp_path / "ours", box=16, device="cpu"))
    assert relative_error(read_volume(ours).data, read_volume(theirs).data) < 1e-5


def test_eval_images_equals_our_latents_and_loss(
    cryodrgn: Upstream, our_run: RunFolder, simulated: SimulatedSet, tmp_path: Path
) -> None:
    z_path, loss_path = tmp_path / "z.pkl", tmp_path / "loss.pkl"
    cryodrgn(
        *("eval_images", simulated.stack, our_run.weights(2), "-c", our_run.config),
        *("-o", loss_path, "--out-z", z_path, "--poses", simulated.poses),
        *("--ctf", simulated.ctf, "-b", 40),
    )
    theirs, ours = read_latents(z_path), read_latents(our_run.latents(2))
    assert theirs.logvar is not None
    assert ours.logvar is not None
    assert relative_error(ours.mu, theirs.mu) < 1e-5
    assert relative_error(ours.logvar, theirs.logvar) < 1e-5
    said = pickle.loads(loss_path.read_bytes())
    gen, kld, total = our_loss(our_run, simulated)
    assert gen == pytest.approx(float(said["recon"]), rel=1e-5)
    assert kld == pytest.approx(float(said["kld"]), rel=1e-5)
    assert total == pytest.approx(float(said["loss"]), rel=1e-5)


def our_loss(run: RunFolder, simulated: SimulatedSet) -> tuple[float, float, float]:
    """Our loss of the whole set, as one batch, at the means of the latents."""
    config = TrainingConfig(
        outdir=run.path,
        particles=simulated.stack,
        poses=simulated.poses,
        ctf=simulated.ctf,
        load="latest",
        num_epochs=2,
        lr=1e-3,
        seed=1,
        device="cpu",
        **SMALL,
    )
    images = run_to_end(gather_inputs(config, run)).training_set
    vae = load_model(run, 2).vae
    points = vae.lattice.coords[vae.lattice.disc(vae.lattice.box // 2)]
    batch = images.batch(torch.arange(len(images)))
    with torch.no_grad():
        predicted, latent = predict(vae, points, batch, None, mixed_precision=False)
        loss = vae_loss(predicted, batch.observed, latent, beta=1 / 4)
    return float(loss.gen), float(loss.kld), float(loss.total)


def test_traversals(cryodrgn: Upstream, our_run: RunFolder, tmp_path: Path) -> None:
    z, latents = z_of(our_run, 2), our_run.latents(2)
    path, indices = tmp_path / "z-path.txt", tmp_path / "z-ind.txt"
    cryodrgn(
        *("graph_traversal", latents, "--anchors", 5, 100, 200, "--max-neighbors", 50),
        *("--avg-neighbors", 30, "-o", path, "--outind", indices),
    )
    rows = np.loadtxt(indices).astype(int)
    assert set(rows) >= {5, 100, 200}
    np.testing.assert_allclose(np.loadtxt(path), z[rows], rtol=1e-4, atol=1e-6)
    direct = tmp_path / "direct.txt"
    cryodrgn("direct_traversal", latents, "--anchors", 5, 100, "-n", 4, "-o", direct)
    np.testing.assert_allclose(np.loadtxt(direct)[[0, -1]], z[[5, 100]], rtol=1e-4, atol=1e-6)
    cryodrgn("pc_traversal", latents, "--pc", 1, "-o", tmp_path / "pc")


@pytest.mark.parametrize("which", ["our_run", "our_run_from_star"])
def test_backproject_voxel_with_the_inputs_that_our_run_names(
    cryodrgn: Upstream, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run: RunFolder = request.getfixturevalue(which)
    dataset = yaml.safe_load(run.config.read_text())["dataset_args"]
    inputs = [dataset["particles"], "--poses", dataset["poses"], "--ctf", dataset["ctf"]]
    if dataset["ind"]:
        inputs += ["--ind", dataset["ind"]]
    if dataset["datadir"]:
        inputs += ["--datadir", dataset["datadir"]]
    cryodrgn("backproject_voxel", *inputs, "-o", tmp_path / "back")
    volume = read_volume(tmp_path / "back" / "backproject.mrc")
    assert volume.data.shape == (32, 32, 32)
    assert volume.data.max() > 5 * volume.data.std(), "the molecule stands out"
    assert volume.pixel_size[0] == pytest.approx(open_run(run.path).pixel_size, rel=1e-5)


def test_analyze_of_a_run_on_a_subset_of_a_star_file(
    cryodrgn: Upstream, our_run_from_star: RunFolder, tmp_path: Path
) -> None:
    out = tmp_path / "analysis"
    cryodrgn(
        *("analyze", our_run_from_star.path, 1, "--skip-umap", "--ksample", 2, "--pc", 1),
        *("-o", out),
    )
    assert len(list(out.glob("kmeans2/vol_*.mrc"))) == 2


def test_cryodrgn_continues_our_run(
    cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path
) -> None:
    run = train_ours(
        simulated,
        tmp_path / "run",
        particles=simulated.stack,
        poses=simulated.poses,
        ctf=simulated.ctf,
        num_epochs=1,
    )
    cryodrgn(
        *("train_vae", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", run.path, "--zdim", 4, "--enc-dim", 32, "--enc-layers", 2, "--dec-dim", 32),
        *("--dec-layers", 2, "-n", 2, "--load", "latest", "--no-analysis"),
    )
    assert run.weight_epochs() == [1, 2]
    opened = open_run(run.path)
    assert opened.epoch == 2
    assert opened.latent is not None
    assert len(opened.latent.mu) == len(z_of(run, 1))


def test_one_training_step_equals_cryodrgns(
    cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path
) -> None:
    """The same step from the same weights, with the one thing that is random taken away.

    Latents are drawn around their means; with a log-variance of -60 they are the means. All
    images are in one batch, so their order does not matter.
    """
    inputs = {
        "particles": simulated.stack,
        "poses": simulated.poses,
        "ctf": simulated.ctf,
        "batch_size": N_PARTICLES,
    }
    ours = train_ours(simulated, tmp_path / "ours", **inputs, num_epochs=1)
    checkpoint = torch.load(ours.weights(1), weights_only=True)
    state = checkpoint["model_state_dict"]
    state["encoder.main.6.weight"][4:] = 0
    state["encoder.main.6.bias"][4:] = -60
    torch.save(checkpoint, ours.weights(1))
    theirs = RunFolder(Path(shutil.copytree(ours.path, tmp_path / "theirs")))
    train_ours(simulated, ours.path, **inputs, num_epochs=2, load="latest")
    cryodrgn(
        *("train_vae", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", theirs.path, "--zdim", 4, "--enc-dim", 32, "--enc-layers", 2, "--dec-dim", 32),
        *("--dec-layers", 2, "-n", 2, "-b", N_PARTICLES, "--lr", 1e-3, "--load", "latest"),
        *("--no-analysis", "--no-amp"),
    )
    before, after_ours, after_theirs = (
        torch.load(path, weights_only=True)["model_state_dict"]
        for path in (ours.weights(1), ours.weights(2), theirs.weights(2))
    )
    for name in before:
        step, their_step = after_ours[name] - before[name], after_theirs[name] - before[name]
        if name.startswith("encoder.main.6"):
            step, their_step = step[:4], their_step[:4]
        if name.endswith("rand_freqs"):
            assert not step.any()
            assert not their_step.any()
        else:
            assert relative_error(step, their_step) < 1e-3, name


def test_cryodrgn_continues_our_single_volume_run(
    cryodrgn: Upstream, simulated: SimulatedSet, tmp_path: Path
) -> None:
    run = train_ours(
        simulated,
        tmp_path / "run",
        particles=simulated.stack,
        poses=simulated.poses,
        ctf=simulated.ctf,
        zdim=0,
        num_epochs=1,
    )
    cryodrgn(
        *("train_nn", simulated.stack, "--poses", simulated.poses, "--ctf", simulated.ctf),
        *("-o", run.path, "--dim", 32, "--layers", 2, "-n", 2, "--load", run.weights(1)),
    )
    assert run.weight_epochs() == [1, 2]
    assert open_run(run.path).problems == ()
