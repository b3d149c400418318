"""What files and runs are said to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import Latents, write_array, write_latents
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.info import describe, inspect_path

MakeRun = Callable[..., RunFolder]


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("hand.mrcs", "image stack: 100 images of 64 x 64 px, float32, 1 Å/px"),
        ("hand-vol.mrc", "volume: 64 x 64 x 64 voxels"),
        ("empiar_10076_7.mrc", "image stack: 7 images of 320 x 320 px"),
        ("hand_rot_trans.pkl", "poses: 100 particles, with shifts"),
        ("hand_rot.pkl", "poses: 100 particles, without shifts"),
        ("ctf1.pkl", "CTF parameters: 5 particles, box 300 px, 1.035 Å/px"),
        ("ind100.pkl", "indices: 100 particles, rows 0 to 99"),
        ("het_weights.pkl", "checkpoint: epoch 0, 26713 parameters"),
        ("het_config.yaml", "VAE, poses known (train_vae), box 64 px, 8 latent dimensions"),
        ("relion31.star", "RELION particle table: 5 particles\nimages: 256 x 256 px, 2.806 Å/px"),
        ("empiar_10076_7.cs", "cryoSPARC particle table: 7 particles"),
        ("toy_projections.txt", "list of image stacks: 1000 particles"),
        ("sta_testing_bin8.star", "tilt series"),
    ],
)
def test_real_files(data_folder: Path, file: str, words: str) -> None:
    description = inspect_path(data_folder / "cryodrgn-tests" / file)
    assert words in description.text
    assert description.faults == ()


@pytest.mark.data
def test_a_table_without_its_images_is_not_damaged(data_folder: Path) -> None:
    description = inspect_path(data_folder / "cryodrgn-tests" / "toy_projections_dir.star")
    assert "1000 particles" in description.text
    assert "toy_images_" in description.missing[0]
    assert description.faults == ()
    assert description.failed
    assert description.text.endswith("\nNothing is damaged; 1 thing is missing")


@pytest.mark.data
def test_somebody_elses_run(data_folder: Path) -> None:
    demo = data_folder / "cftr-cryodrgn-demo"
    text = describe(demo / "train")
    assert "latents: 3000 particles, 4 dimensions, epoch 20" in text
    assert "weights: none" in text
    assert "analysis of epoch 20: UMAP, k-means of 20, PC 1, PC 2, 3 volumes" in text
    assert "particles.mrcs is missing" in text
    assert text.endswith("\nNothing is damaged; 2 things are missing")
    assert not inspect_path(demo / "train").failed
    assert "latents are missing" in describe(demo / "J1442_real")


def test_a_whole_run(make_run: MakeRun) -> None:
    run = make_run(epochs=(1, 2, 3))
    run_to_end(analyze(run, ksample=2, skip_umap=True))
    text = describe(run.path)
    assert "latents: 40 particles, 3 dimensions, epochs 1 to 3" in text
    assert "weights: epochs 1 to 3" in text
    assert "pixel size: 2.5 Å" in text
    assert "analysis of epoch 3: k-means of 2, PC 1, PC 2, 22 volumes" in text
    assert text.endswith("\nNothing is damaged")


@pytest.mark.parametrize(
    "damage",
    ["weights.1.pkl", "z.1.pkl", "analyze.2/kmeans2/vol_001.mrc", "analyze.2/kmeans2/labels.pkl"],
)
def test_each_damaged_piece_of_a_run_is_named_once(make_run: MakeRun, damage: str) -> None:
    run = make_run()
    run_to_end(analyze(run, ksample=2, skip_umap=True))
    path = run.path / damage
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) * 3 // 5])
    description = inspect_path(run.path)
    assert [str(path) in fault for fault in description.faults] == [True]
    assert description.text.count(path.name + ":") == 1
    assert description.text.splitlines()[-1] == "1 thing is damaged"
    assert description.failed


def test_a_flipped_bit_in_the_weights_is_found(make_run: MakeRun) -> None:
    run = make_run()
    content = bytearray(run.weights(2).read_bytes())
    content[len(content) // 2] ^= 1
    run.weights(2).write_bytes(content)
    assert "weights.2.pkl" in "".join(inspect_path(run.path).faults)


def test_epochs_of_different_sets_are_found(make_run: MakeRun) -> None:
    run = make_run()
    write_latents(run.latents(2), Latents(np.zeros((7, 3), np.float32)))
    assert "(7, 3) is not that of other epochs" in inspect_path(run.path).faults[0]


def test_pickles_are_told_apart(tmp_path: Path) -> None:
    write_array(tmp_path / "labels.pkl", np.array([0, 2, 1, 0]))
    write_array(tmp_path / "umap.pkl", np.zeros((5, 2), np.float32))
    latents = Latents(np.zeros((6, 9), np.float32), np.zeros((6, 9), np.float32))
    write_latents(tmp_path / "z.4.pkl", latents)
    assert "labels: 4 particles in 3 groups" in describe(tmp_path / "labels.pkl")
    assert "UMAP coordinates: 5 particles" in describe(tmp_path / "umap.pkl")
    # Nine columns are a CTF table elsewhere, and latents here.
    assert "latents: 6 particles, 9 dimensions" in describe(tmp_path / "z.4.pkl")


@pytest.mark.parametrize("name", ["nowhere", "notes.docx", "run"])
def test_what_nobody_knows(tmp_path: Path, name: str) -> None:
    if name == "run":
        (tmp_path / name).mkdir()
    elif name != "nowhere":
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=name):
        describe(tmp_path / name)
