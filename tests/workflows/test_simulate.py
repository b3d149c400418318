from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.mrc import read_volume, write_volume
from napari_cryodrgn.io.pickles import read_ctf, read_poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.simulation.config import FIELD_OF_VIEW, SimulationConfig
from napari_cryodrgn.workflows.simulate import SimulatedSet, simulate

SMALL = {"n_particles": 120, "box": 24, "seed": 3}


def _simulate(out: Path, **settings: object) -> SimulatedSet:
    config = SimulationConfig.model_validate({**SMALL, **settings})
    return SimulatedSet(run_to_end(simulate(out, config)))


def _projected(volume: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Projection of a volume in real space, an independent way: turn it, sum along z."""
    from scipy.ndimage import affine_transform

    middle = np.full(3, volume.shape[0] // 2)
    # Output voxel q (z, y, x) takes its value from Rᵀ q in the volume frame (x, y, z).
    backward = rotation.T[::-1, ::-1].astype(float)
    turned = affine_transform(volume, backward, middle - backward @ middle, order=3)
    return np.asarray(turned.sum(axis=0))


def test_star_and_pickles_say_the_same(tmp_path: Path) -> None:
    files = _simulate(tmp_path / "set", false_poses=0.1, off_centre=0.1)
    particles = read_particles(files.star)
    poses, ctf = read_poses(files.poses), read_ctf(files.ctf)
    assert particles.poses is not None
    assert particles.ctf is not None
    np.testing.assert_allclose(particles.poses.rotations, poses.rotations, atol=1e-6)
    np.testing.assert_allclose(particles.poses.shifts, poses.shifts, atol=1e-7)
    np.testing.assert_allclose(particles.ctf.table, ctf.table, rtol=1e-6, atol=1e-6)
    assert particles.pixel_size == pytest.approx(FIELD_OF_VIEW / 24, rel=1e-6)
    assert len(particles) == 120
    assert particles.box == 24
    truth = pd.read_csv(files.truth, keep_default_na=False)
    assert (particles.metadata["truthJunk"] == truth["junk"].replace("", "none")).all()


def test_images_are_those_of_the_written_states(tmp_path: Path) -> None:
    """Signs, hand and order of the whole path, against a projection made in another way."""
    files = _simulate(
        tmp_path / "set", kind="composition", ctf=False, snr="inf", max_shift=0, box=32
    )
    states = pd.read_csv(files.states / "states.csv")
    volumes = [read_volume(files.states / name).data for name in states["volume"]]
    truth = pd.read_csv(files.truth)
    poses = read_poses(files.poses)
    images = FileImageStack.of_files([files.stack]).read(np.arange(0, 120, 10))
    for image, row in zip(images, truth.iloc[::10].itertuples(), strict=True):
        at = list(truth.columns).index("class") + 1
        fitting = _projected(volumes[int(row[at]) - 1], poses.rotations[row[0]])
        correlation = np.corrcoef(image.ravel(), fitting.ravel())[0, 1]
        mirrored = np.corrcoef(image.ravel(), fitting[:, ::-1].ravel())[0, 1]
        assert correlation > 0.985
        assert correlation > mirrored


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    junk = {"aggregates": 0.1, "off_centre": 0.1, "coloured": 0.3}
    one, other = _simulate(tmp_path / "a", **junk), _simulate(tmp_path / "b", **junk)
    names = [path.relative_to(one.path) for path in one.path.rglob("*") if path.is_file()]
    assert len(names) == 6 + 1 + 15
    for name in names:
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    third = _simulate(tmp_path / "c", **junk | {"seed": 4})
    assert third.stack.read_bytes() != one.stack.read_bytes()


def test_the_settings_written_make_the_set_again(tmp_path: Path) -> None:
    files = _simulate(tmp_path / "a", kind="hinge", snr="inf", populations=(1,))
    content = yaml.safe_load(files.settings.read_text())
    again = SimulationConfig.model_validate(content["settings"])
    run_to_end(simulate(tmp_path / "b", again))
    assert (tmp_path / "b" / "particles.mrcs").read_bytes() == files.stack.read_bytes()
    assert content["pixel_size"] == pytest.approx(FIELD_OF_VIEW / 24)
    assert content["invert_data"] is True


def test_without_ctf_there_is_no_ctf_anywhere(tmp_path: Path) -> None:
    files = _simulate(tmp_path / "set", ctf=False)
    assert not files.ctf.exists()
    assert "Defocus" not in files.star.read_text()
    assert read_particles(files.star).ctf is None
    assert yaml.safe_load(files.settings.read_text())["invert_data"] is False


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="in use"):
        _simulate(tmp_path / "set")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match="in use"):
        _simulate(tmp_path / "file")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine.txt", "set"]


def test_an_empty_folder_is_taken_and_missing_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert _simulate(tmp_path / "set", n_particles=2).star.is_file()
    assert _simulate(tmp_path / "deep" / "er", n_particles=2).star.is_file()


@pytest.mark.parametrize("steps", [1, 3, 6, 12])
def test_a_simulation_that_is_stopped_leaves_nothing(tmp_path: Path, steps: int) -> None:
    task = simulate(tmp_path / "set", SimulationConfig.model_validate(SMALL))
    for _ in range(steps):
        next(task)
    task.close()
    assert list(tmp_path.iterdir()) == []


def test_given_volumes_are_the_states(tmp_path: Path, data_folder: Path) -> None:
    volumes = sorted((data_folder / "tomodrgn-10076-DE").glob("10076_class?_32.mrc"))
    files = _simulate(
        tmp_path / "set",
        volumes=volumes,
        volume_apix=13.1,
        box=None,
        ctf=False,
        snr="inf",
        max_shift=0,
        populations=(3, 1),
    )
    states = pd.read_csv(files.states / "states.csv")
    assert list(states["class_name"]) == ["10076_classD_32", "10076_classE_32"]
    for given, name in zip(volumes, states["volume"], strict=True):
        written, original = read_volume(files.states / name), read_volume(given)
        assert written.pixel_size == pytest.approx((13.1, 13.1, 13.1))
        # The Nyquist planes, which have no partner to interpolate to, are not kept.
        assert _correlation(written.data, original.data) > 0.995
        assert written.data.std() == pytest.approx(original.data.std(), rel=0.02)
    poses, truth = read_poses(files.poses), pd.read_csv(files.truth)
    images = FileImageStack.of_files([files.stack]).read(np.arange(8))
    for position, image in enumerate(images):
        volume = read_volume(volumes[truth["class"][position] - 1]).data
        fitting = _projected(volume, poses.rotations[position])
        # The maps' ground is not zero, and rotating them cuts it off at the corners.
        inner = np.hypot(*(np.mgrid[:32, :32] - 16)) < 13
        assert _correlation(image[inner], fitting[inner]) > 0.985


def test_volumes_can_be_resampled(tmp_path: Path, data_folder: Path) -> None:
    volume = data_folder / "tomodrgn-10076-DE" / "10076_classE_32.mrc"
    files = _simulate(
        tmp_path / "set", volumes=[volume], volume_apix=13.1, box=48, apix=10.0, n_particles=4
    )
    written = read_volume(files.state_volume(1))
    assert written.data.shape == (48, 48, 48)
    assert written.pixel_size == pytest.approx((10, 10, 10))
    original = read_volume(volume).data
    assert written.data.max() == pytest.approx(original.max(), rel=0.1)
    assert written.data.sum() * 10.0**3 == pytest.approx(original.sum() * 13.1**3, rel=0.02)


def test_atomic_models_morph_into_each_other(tmp_path: Path, data_folder: Path) -> None:
    pytest.importorskip("gemmi")
    models = [data_folder / "adk" / "adk_closed.pdb", data_folder / "adk" / "adk_open.pdb"]
    files = _simulate(tmp_path / "set", models=models, kind="morph", n_particles=20, box=32)
    truth = pd.read_csv(files.truth)
    assert truth["coordinate"].between(0, 1).all()
    ends = [read_volume(files.state_volume(number)).data for number in (1, 3, 5)]
    assert _correlation(ends[0], ends[1]) > _correlation(ends[0], ends[2])
    assert _correlation(ends[0], ends[2]) < 0.95
    # 1656 heavy atoms of a protein weigh 11,022 in atomic numbers, in every state.
    for volume in ends:
        assert volume.sum() == pytest.approx(11_022, rel=0.01)


def test_models_and_chains_are_classes(tmp_path: Path, data_folder: Path) -> None:
    pytest.importorskip("gemmi")
    proteins = data_folder / "maven-10076-50S" / "model" / "prots1.pdb"
    files = _simulate(
        tmp_path / "set", models=[proteins], chains=["A,B,C", "A,B"], n_particles=10, box=32
    )
    whole, part = (read_volume(files.state_volume(number)).data for number in (1, 2))
    assert part.sum() < whole.sum()
    assert _correlation(whole, part) < 0.99
    with pytest.raises(InputError, match="no such chain") as error:
        _simulate(tmp_path / "other", models=[proteins], chains=["A,nobody"])
    assert error.value.value == "nobody"
    assert not (tmp_path / "other").exists()


def test_models_without_gemmi_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gemmi", None)
    with pytest.raises(InputError, match=r"napari-cryodrgn\[simulate\]"):
        _simulate(tmp_path / "set", models=[tmp_path / "a.pdb"])


def test_states_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    cube, other = np.random.default_rng(0).normal(size=(2, 16, 16, 16)).astype(np.float32)
    write_volume(tmp_path / "good.mrc", cube, 4.0)
    write_volume(tmp_path / "flat.mrc", cube[:8], 4.0)
    write_volume(tmp_path / "small.mrc", other[:8, :8, :8], 4.0)
    write_volume(tmp_path / "coarse.mrc", other, 5.0)
    write_volume(tmp_path / "silent.mrc", other, None)
    write_volume(tmp_path / "nan.mrc", np.where(other > 2, np.nan, other), 4.0)
    (tmp_path / "packed.mrc").write_bytes(gzip.compress(b"no map"))
    for name, words in [
        ("flat", "cubes"),
        ("small", "differ in size"),
        ("coarse", "differ in pixel size"),
        ("silent", "--volume-apix"),
        ("nan", "NaN"),
        ("packed", "no MRC file"),
        ("missing", "no such file"),
    ]:
        with pytest.raises(InputError, match=words) as error:
            _simulate(tmp_path / "set", volumes=[tmp_path / "good.mrc", tmp_path / f"{name}.mrc"])
        assert error.value.file == tmp_path / f"{name}.mrc"
    assert not (tmp_path / "set").exists()


def test_models_that_cannot_be_used_are_named(tmp_path: Path, data_folder: Path) -> None:
    pytest.importorskip("gemmi")
    closed = data_folder / "adk" / "adk_closed.pdb"
    ribosome = data_folder / "maven-10076-50S" / "model" / "RNA_5S.pdb"
    (tmp_path / "empty.pdb").write_text("REMARK nothing\n")
    for settings, words in [
        ({"models": [tmp_path / "empty.pdb"]}, "no atoms"),
        ({"models": [tmp_path / "missing.cif"]}, "no such file"),
        ({"models": [closed], "kind": "morph"}, "two conformations"),
        ({"models": [closed, ribosome], "kind": "morph"}, "other atoms"),
        ({"models": [closed], "box": 16, "apix": 2.0}, "does not fit the box"),
        ({"models": [closed, closed], "chains": ["A"]}, "one atomic model only"),
    ]:
        with pytest.raises(InputError, match=words):
            _simulate(tmp_path / "set", **settings)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
