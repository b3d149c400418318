from __future__ import annotations

import functools
import shutil
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.progress import Progress, run_to_end
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows import demo, demo_pictures, samples
from napari_cryodrgn.workflows.demo import DemoResult, make_demo
from napari_cryodrgn.workflows.recovery import Recovery, compare_with_truth
from napari_cryodrgn.workflows.stages import Stages
from napari_cryodrgn.workflows.tour import tour

REAL_TRAINING = demo.demo_training


def _shrink(patch: pytest.MonkeyPatch, n_particles: int, epochs: int, box: int) -> None:
    """A demo with the same molecule, noise and network, of less work."""
    particles = demo.DEMO_PARTICLES.model_copy(update={"n_particles": n_particles, "box": box})
    patch.setattr(demo, "DEMO_PARTICLES", particles)
    patch.setattr(samples, "DEMO_PARTICLES", particles)

    def training(star: Path, folder: Path) -> TrainingConfig:
        return REAL_TRAINING(star, folder).model_copy(update={"num_epochs": epochs})

    patch.setattr(demo, "demo_training", training)
    patch.setattr(samples, "demo_training", training)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    with pytest.MonkeyPatch.context() as patch:
        _shrink(patch, 900, 18, 20)
        patch.setattr(demo, "analyze", _analyze_without_umap)
        patch.setattr(demo_pictures, "tour", functools.partial(tour, steps=6, change_steps=2))
        return run_to_end(make_demo(tmp_path_factory.mktemp("demo") / "out", pictures=True))


def test_the_demo_finds_what_was_simulated(finished: DemoResult) -> None:
    assert finished.recovery.motion is not None
    assert finished.recovery.classes is not None
    assert finished.recovery.motion > 0.7
    assert finished.recovery.classes > 0.75
    assert "orders the motion" in str(finished.recovery)


def test_training_with_default_contrast_gives_positive_density(finished: DemoResult) -> None:
    """RELION-habit images through a CTF, inverted by default: what the conventions promise."""
    decoded = [read_volume(path).data for path in finished.analysis.kmeans(12).glob("*.mrc")]
    true = read_volume(finished.particles.state_volume(3)).data
    correlations = [np.corrcoef(volume.ravel(), true.ravel())[0, 1] for volume in decoded]
    assert len(decoded) == 12
    assert min(correlations) > 0.75


def test_pictures_show_something(finished: DemoResult) -> None:
    names = [path.name for path in finished.pictures]
    assert names[:-1] == [
        "latent_clusters.png",
        "latent_truth.png",
        "clusters.png",
        "decoded_and_true.png",
        "click.png",
    ]
    assert finished.pictures[-1].stem == "morph"
    for path in finished.pictures[:-1]:
        picture = imageio.imread(path)
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 10
    # The two clicks of one picture show different volumes.
    click = imageio.imread(finished.pictures[4])
    height = (len(click) - 60) // 2
    one, other = click[60 : 60 + height, 520:], click[60 + height :, 520:]
    rows = min(len(one), len(other))
    assert np.abs(one[:rows].astype(int) - other[:rows]).max() > 60


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_movie_moves(finished: DemoResult) -> None:
    frames = imageio.imread(finished.pictures[-1])
    assert len(frames) == 3 * 6 + 2 * 2
    assert np.abs(frames[0].astype(int) - frames[5])[:, :480].max() > 60


def test_a_second_demo_keeps_what_is_there(finished: DemoResult) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _shrink(patch, 900, 18, 20)
        patch.setattr(demo, "analyze", _analyze_without_umap)
        patch.setattr(
            "napari_cryodrgn.workflows.train.train", lambda config: pytest.fail("trained again")
        )
        again = run_to_end(make_demo(finished.run.path.parent))
    assert again.recovery == finished.recovery


def test_a_demo_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _shrink(monkeypatch, 48, 3, 16)
    monkeypatch.setattr(demo, "CLUSTERS", 3)
    monkeypatch.setattr(demo, "analyze", _analyze_without_umap)
    whole = run_to_end(make_demo(tmp_path / "whole"))
    task = make_demo(tmp_path / "stopped")
    for report in task:
        if report.message.startswith("Epoch 2"):
            break
    task.close()
    assert not (tmp_path / "stopped" / "run" / "weights.pkl").exists()
    result = run_to_end(make_demo(tmp_path / "stopped"))
    assert result.run.latents().read_bytes() == whole.run.latents().read_bytes()


def test_a_demo_stopped_while_simulating_leaves_nothing(tmp_path: Path) -> None:
    task = make_demo(tmp_path / "out")
    for _ in range(8):
        next(task)
    task.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_particles_is_left_alone(tmp_path: Path) -> None:
    from napari_cryodrgn.workflows.simulate import simulate

    config = SimulationConfig(n_particles=4, box=16)
    run_to_end(simulate(tmp_path / "particles", config))
    with pytest.raises(InputError, match="other particles than the demo"):
        run_to_end(make_demo(tmp_path))
    (tmp_path / "particles" / "simulation.yaml").write_text("settings: 3")
    with pytest.raises(InputError, match="no settings of a simulation"):
        run_to_end(make_demo(tmp_path))
    shutil.rmtree(tmp_path / "particles")
    (tmp_path / "particles").mkdir()
    with pytest.raises(InputError, match="no such file"):
        run_to_end(make_demo(tmp_path))


def test_samples_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _shrink(monkeypatch, 48, 2, 16)
    monkeypatch.setattr(demo, "CLUSTERS", 3)
    monkeypatch.setattr(demo, "analyze", _analyze_without_umap)
    star = run_to_end(samples.simulated_particles(tmp_path))
    written = star.stat().st_mtime_ns
    run = run_to_end(samples.sample_run(tmp_path))
    assert star.parent.parent == run.path.parent
    assert star.stat().st_mtime_ns == written
    assert run_to_end(samples.simulated_particles(tmp_path)) == star
    monkeypatch.setattr(
        "napari_cryodrgn.workflows.train.train", lambda config: pytest.fail("trained again")
    )
    assert run_to_end(samples.sample_run(tmp_path)) == run


def test_samples_of_another_recipe_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = samples.sample_folder(tmp_path)
    assert samples.sample_folder(tmp_path) == before
    _shrink(monkeypatch, 48, 2, 16)
    assert samples.sample_folder(tmp_path) != before


def test_progress_of_the_whole_never_goes_back() -> None:
    def task(name: str, fractions: list[float | None]) -> object:
        for fraction in fractions:
            yield Progress(fraction or 0, None if fraction is None else 1.0, name)
        return name

    def both() -> object:
        stages = Stages.begin()
        one = yield from stages.run(task("one", [None, 0.5, 1.0, 0.2]), 0.25)
        two = yield from stages.run(task("two", [0.0, 0.5, 1.0]), 0.75)
        assert (one, two) == ("one", "two")

    reports = list(both())
    fractions = [report.fraction for report in reports]
    assert fractions == pytest.approx([0, 0.125, 0.25, 0.25, 0.25, 0.625, 1.0])
    assert [report.message for report in reports] == ["one"] * 4 + ["two"] * 3


def test_a_tour_visits_every_composition_along_the_whole_motion(rng: np.random.Generator) -> None:
    coordinates = np.tile(np.linspace(0, 1, 101), 2)
    truth = pd.DataFrame(
        {
            "junk": "",
            "class": np.repeat([1, 2], 101),
            "class_name": np.repeat(["whole", "part"], 101),
            "coordinate": coordinates,
        }
    )
    mu = np.stack([truth["class"], coordinates], axis=1).astype(np.float32)
    stops = tour(mu, mu, truth, steps=5, change_steps=1)
    assert [stop.class_name for stop in stops] == ["whole"] * 5 + ["whole to part"] + ["part"] * 5
    expected = [0, 0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert [stop.coordinate for stop in stops] == pytest.approx(expected)
    # Means lie within the data, at the ends a little inside.
    np.testing.assert_allclose([stop.z[1] for stop in stops], expected, atol=0.06)
    np.testing.assert_allclose([stop.z[0] for stop in stops], [1] * 5 + [1.5] + [2] * 5)
    np.testing.assert_allclose(stops[3].place, stops[3].z)


def test_recovery_is_that_of_the_neighbours(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 300
    table = pd.DataFrame(
        {
            "junk": np.where(np.arange(n) % 10 == 0, "false_pose", ""),
            "class": rng.integers(1, 3, n),
            "coordinate": rng.random(n),
        }
    )
    table.to_csv(tmp_path / "truth.csv", index=False)
    good = table[["class", "coordinate"]].to_numpy(np.float32) * [10, 1]
    good[table["junk"] != ""] = 0
    perfect = compare_with_truth(good.astype(np.float32), tmp_path / "truth.csv")
    assert perfect.motion is not None
    assert perfect.motion > 0.99
    assert perfect.classes == 1.0
    noise = rng.normal(size=(n, 3)).astype(np.float32)
    useless = compare_with_truth(noise, tmp_path / "truth.csv")
    assert useless.motion is not None
    assert useless.classes is not None
    assert abs(useless.motion) < 0.25
    assert abs(useless.classes - 0.5) < 0.15
    table.assign(coordinate=np.nan, **{"class": 1}).to_csv(tmp_path / "truth.csv", index=False)
    assert compare_with_truth(noise, tmp_path / "truth.csv") == Recovery(None, None)


def _analyze_without_umap(run: object, **settings: object) -> object:
    from napari_cryodrgn.workflows.analyze import analyze

    return analyze(run, skip_umap=True, **settings)
