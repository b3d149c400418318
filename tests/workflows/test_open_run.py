"""Opening a run: all that is there, and the names of what is not."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import (
    Latents,
    read_latents,
    write_array,
    write_indices,
    write_latents,
    write_poses,
)
from napari_cryodrgn.io.run_config import read_run_config, write_run_config
from napari_cryodrgn.particles import ParticleRows, Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.open_run import OpenRun, open_run

MakeRun = Callable[..., RunFolder]


def problem_about(run: OpenRun, word: str) -> str:
    found = [str(problem) for problem in run.problems if word in problem.what]
    assert len(found) == 1, [str(problem) for problem in run.problems]
    return found[0]


def configure(run: RunFolder, **changes: object) -> None:
    config = read_run_config(run.config).model_copy(
        update={name: None if value is None else str(value) for name, value in changes.items()}
    )
    write_run_config(run.config, config)


@pytest.mark.data
def test_somebody_elses_run_without_images_and_weights_opens(data_folder: Path) -> None:
    demo = data_folder / "cftr-cryodrgn-demo"
    run = open_run(demo / "train")

    assert run.epoch == 20
    assert run.latent is not None
    assert (len(run.latent), run.latent.zdim) == (3000, 4)
    assert set(run.latent.embeddings) == {"PCA", "UMAP"}
    assert run.latent.columns["kmeans20"].nunique() == 20
    # The poses lie where the end of their Windows path says.
    assert run.files == {"poses": demo / "inputs" / "poses.pkl"}
    assert {"angle_rot", "angle_tilt", "angle_psi"} <= set(run.latent.columns)
    assert [(volume.group, volume.number) for volume in run.volumes] == [
        ("kmeans20", 1),
        ("kmeans20", 10),
        ("kmeans20", 20),
    ]
    np.testing.assert_allclose(run.volumes[2].z, run.latent.mu[2503], atol=1e-6)
    assert run.weights is None
    assert run.particles is None
    assert run.pixel_size is None
    images = problem_about(run, "particles.mrcs")
    assert r"C:\Users\maemm\OneDrive\Desktop\CryoEM\results_cryodrgn\demo_idpose" in images
    assert "inputs/particles.mrcs" in images
    assert str(demo) in images
    assert str(demo / "train" / "weights.20.pkl") in problem_about(run, "weights")


@pytest.mark.data
def test_a_run_without_latents_says_so_and_takes_no_tables_of_others(data_folder: Path) -> None:
    run = open_run(data_folder / "cftr-cryodrgn-demo" / "J1442_real")
    assert run.latent is None
    assert run.epoch == 50
    assert run.config is not None
    assert run.config.box == 128
    assert "z.50.pkl" in problem_about(run, "latents")
    # ../inputs/ctf.pkl fits the path, but is that of the other run beside it.
    assert run.pixel_size is None
    assert "may belong to another run" in problem_about(run, "ctf.pkl")


def test_our_own_run_is_whole(make_run: MakeRun, tmp_path: Path, rng: np.random.Generator) -> None:
    run = make_run()
    stack, poses = tmp_path / "particles.mrcs", tmp_path / "poses.pkl"
    write_stack(stack, rng.normal(size=(40, 16, 16)).astype(np.float32), 2.5)
    write_poses(poses, Poses(random_rotations(40, rng), np.zeros((40, 2), np.float32)))
    configure(run, particles=stack, poses=poses)
    run_to_end(analyze(run, ksample=3, skip_umap=True))

    opened = open_run(run.path)

    assert opened.problems == ()
    assert opened.particles is not None
    assert opened.latent is not None
    assert opened.latent.rows == opened.particles.rows
    assert opened.pixel_size == pytest.approx(2.5)
    assert opened.weights == run.weights(2)
    assert opened.analysis == run.analysis(2)
    assert len(opened.volumes) == 23
    assert {"defocus_u", "angle_rot", "shift_x", "kmeans3", "PC3"} <= set(opened.latent.columns)


def test_indices_relate_positions_to_rows(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(n=3, pixel_size=None)
    stack, ind = tmp_path / "particles.mrcs", tmp_path / "ind.pkl"
    write_stack(stack, np.arange(9 * 256, dtype=np.float32).reshape(9, 16, 16), 1.5)
    write_indices(ind, ParticleRows(np.array([7, 2, 4]), 9))
    configure(run, particles=stack, ind=ind)
    opened = open_run(run.path)
    assert opened.latent is not None
    assert opened.particles is not None
    np.testing.assert_array_equal(opened.latent.rows.rows, [7, 2, 4])
    np.testing.assert_array_equal(opened.latent.columns["row"], [7, 2, 4])
    assert opened.particles.images.read(np.array([0]))[0, 0, 0] == 7 * 256
    assert opened.pixel_size == pytest.approx(1.5)


def test_rows_of_lost_indices_are_no_rows_of_the_particle_file(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(n=3, pixel_size=None)
    stack = tmp_path / "particles.mrcs"
    write_stack(stack, np.zeros((3, 16, 16), np.float32), 1.5)
    configure(run, particles=stack, ind=tmp_path / "ind.pkl")
    opened = open_run(run.path)
    assert opened.particles is None
    assert opened.latent is not None
    configure(run, ind=None)
    whole = open_run(run.path).particles
    assert whole is not None
    # Three rows here and there: yet they must not be taken for one another.
    with pytest.raises(InputError, match="different particle tables"):
        opened.latent.rows.require_same_table(whole.rows)
    assert "cannot be related" in problem_about(opened, "ind.pkl")


def test_particles_of_another_count_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(n=3, pixel_size=None)
    stack = tmp_path / "particles.mrcs"
    write_stack(stack, np.zeros((4, 16, 16), np.float32), 1.5)
    configure(run, particles=stack)
    opened = open_run(run.path)
    assert opened.particles is None
    assert "4 particles where the run has 3" in problem_about(opened, "cannot be used")


def test_columns_of_a_star_file_whose_images_are_gone(
    make_run: MakeRun, tmp_path: Path, rng: np.random.Generator
) -> None:
    run = make_run(n=2, pixel_size=None)
    star = tmp_path / "particles.star"
    star.write_text(
        "data_\n\nloop_\n_rlnImageName #1\n_rlnMicrographName #2\n_rlnTemperature #3\n"
        "1@gone.mrcs m1.mrc 3.5\n2@gone.mrcs m2.mrc 4.5\n"
    )
    configure(run, particles=star)
    opened = open_run(run.path)
    assert opened.particles is None
    assert opened.latent is not None
    assert list(opened.latent.columns["micrograph"]) == ["m1.mrc", "m2.mrc"]
    assert list(opened.latent.columns["rlnTemperature"]) == [3.5, 4.5]
    assert opened.latent.rows.fingerprint
    assert "gone.mrcs" in problem_about(opened, "cannot be used")


@pytest.mark.parametrize("layout", ["vae", "dec", "abinit"])
def test_latents_of_every_method(make_run: MakeRun, rng: np.random.Generator, layout: str) -> None:
    run = make_run(epochs=())
    mu = rng.normal(size=(40, 3))
    if layout == "vae":
        write_latents(run.latents(5), Latents(mu.astype(np.float32), np.ones((40, 3), np.float32)))
    else:
        kind = np.float32 if layout == "dec" else np.float64
        run.latents(5).write_bytes(pickle.dumps(mu.astype(kind)))
    opened = open_run(run.path)
    assert opened.latent is not None
    assert opened.epoch == opened.latent.epoch == 5
    np.testing.assert_allclose(opened.latent.mu, mu, atol=1e-6)
    assert opened.latent.mu.dtype == np.float32
    assert (opened.latent.logvar is not None) == (layout == "vae")


def test_an_abinit_run_whose_configuration_names_no_box_opens(make_run: MakeRun) -> None:
    run = make_run(epochs=(4,), weights=False)
    content = yaml.safe_load(run.config.read_text())
    dataset = {"particles": None, "ctf": str(run.path / "ctf.pkl"), "ind": None}
    model = {"zdim": 3, "pe_type": "gaussian", "feat_sigma": 0.5, "domain": "hartley"}
    content = {"data_norm_mean": 0.0, "data_norm_std": 2.0} | {
        "dataset_args": dataset,
        "model_args": model,
        "training": content["training"],
    }
    run.config.write_text(yaml.safe_dump(content))
    opened = open_run(run.path)
    assert opened.config is not None
    assert opened.config.kind == "abinit"
    assert opened.latent is not None
    assert "defocus_u" in opened.latent.columns
    # Å per pixel of the table is that of its own box; that of the images needs theirs.
    assert opened.pixel_size is None
    assert "no weights" in problem_about(opened, "box is not known")


def test_refined_poses_in_pixels_give_their_angles(
    make_run: MakeRun, rng: np.random.Generator
) -> None:
    run = make_run()
    rotations = random_rotations(40, rng)
    run.poses(2).write_bytes(pickle.dumps((rotations.astype(float), rng.uniform(-9, 9, (40, 2)))))
    latent = open_run(run.path).latent
    assert latent is not None
    assert {"refined_angle_rot", "refined_angle_tilt"} <= set(latent.columns)


@pytest.mark.parametrize("part", [0, 1])
def test_refined_poses_that_are_text_are_named(
    make_run: MakeRun, rng: np.random.Generator, part: int
) -> None:
    run = make_run()
    parts: list[object] = [random_rotations(40, rng), np.zeros((40, 2))]
    parts[part] = b"\x93no number"
    run.poses(2).write_bytes(pickle.dumps(tuple(parts)))
    assert "numbers was expected" in problem_about(open_run(run.path), "pose.2.pkl")


def test_the_latest_readable_epoch_is_opened_and_the_damage_named(make_run: MakeRun) -> None:
    run = make_run(epochs=(1, 2, 3))
    run.latents(3).write_bytes(run.latents(3).read_bytes()[:100])
    opened = open_run(run.path)
    assert opened.epoch == 2
    assert "z.3.pkl" in problem_about(opened, "latents cannot be used")
    with pytest.raises(InputError, match=r"z\.3\.pkl"):
        open_run(run.path, 3)


def test_the_epoch_asked_for_is_opened(make_run: MakeRun) -> None:
    run = make_run()
    opened = open_run(run.path, 1)
    assert opened.latent is not None
    np.testing.assert_array_equal(opened.latent.mu, read_latents(run.latents(1)).mu)
    assert opened.weights == run.weights(1)
    with pytest.raises(InputError, match="it has 1, 2"):
        open_run(run.path, 4)


def test_final_latents_without_a_number(make_run: MakeRun) -> None:
    run = make_run(epochs=(1,))
    run.latents(1).rename(run.latents())
    run.weights(1).rename(run.weights())
    opened = open_run(run.path)
    assert opened.epoch is None
    assert opened.latent is not None
    assert opened.weights == run.weights()


def test_a_single_volume_opens(make_run: MakeRun) -> None:
    run = make_run(zdim=0)
    run.reconstruction(2).write_bytes(b"")
    opened = open_run(run.path)
    assert opened.latent is None
    assert opened.weights == run.weights(2)
    assert [volume.group for volume in opened.volumes] == ["reconstruction"]
    assert opened.problems == ()


@pytest.mark.parametrize(
    ("damage", "word"),
    [("umap.pkl", "UMAP"), ("kmeans3/labels.pkl", "labels"), ("../config.yaml", "configuration")],
)
def test_damaged_pieces_are_named_and_the_rest_opens(
    make_run: MakeRun, damage: str, word: str
) -> None:
    run = make_run()
    result = run_to_end(analyze(run, ksample=3, skip_umap=True, skip_vol=True))
    write_array(result.umap, np.zeros((40, 2), np.float32))
    path = result.path / damage
    path.write_bytes(path.read_bytes()[:-20] + b"\xff\xff")
    opened = open_run(run.path)
    assert opened.latent is not None
    assert path.name in problem_about(opened, word)


def test_a_hostile_config_or_pickle_does_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "touched",)

    run = make_run()
    run.latents(2).write_bytes(pickle.dumps(Evil()))
    assert open_run(run.path).epoch == 1
    assert not (tmp_path / "touched").exists()


def test_a_moved_run_finds_its_files(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    moved = tmp_path / "elsewhere" / "run"
    shutil.move(run.path, moved)
    opened = open_run(moved)
    assert opened.files["ctf"] == moved / "ctf.pkl"
    assert opened.pixel_size == pytest.approx(2.5)


@pytest.mark.parametrize("there", ["nothing", "file", "empty", "config.pkl"])
def test_what_is_no_run_is_said(tmp_path: Path, there: str) -> None:
    path = tmp_path / "run"
    if there == "file":
        path.write_text("")
    elif there != "nothing":
        path.mkdir()
    if there == "config.pkl":
        (path / there).write_bytes(b"")
    with pytest.raises(InputError, match=r"no such folder|no run folder|no config\.yaml yet"):
        open_run(path)
