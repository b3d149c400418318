"""What the demo shows where there is no display: pictures and a movie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.latent_plot import (
    LatentPlot,
    plot_classes,
    plot_quantity,
    with_axes,
)
from napari_cryodrgn.export.layout import (
    Picture,
    captioned,
    tiled,
    titled,
    with_scale_bar,
    write,
)
from napari_cryodrgn.export.movie import write_movie, write_picture
from napari_cryodrgn.export.palette import CATEGORIES, Colour, category_colour
from napari_cryodrgn.export.surface_mesh import contour_level, surface_mesh
from napari_cryodrgn.export.surface_render import View, render_surfaces, view_rotation
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.latent.space import PCA_NAME, UMAP_NAME, LatentSpace
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analysis_files import AnalysisVolume
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.simulate import SimulatedSet
from napari_cryodrgn.workflows.tour import TourStop, state_stop, tour
from napari_cryodrgn.workflows.volume_files import make_folder

# From where the arm, the cap and the foot of the built-in complex are all seen.
_AZIMUTH, _ELEVATION = -112.0, 16.0
_PLOT, _LARGE, _MEDIUM, _SMALL = 480, 480, 240, 176
_MOLECULE: Colour = (126, 174, 226)
_TRUE: Colour = (158, 163, 172)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all the pictures share."""

    run: OpenRun
    latent: LatentSpace
    embedding: str
    truth: pd.DataFrame
    set: SimulatedSet
    level: float
    pixel_size: float
    half_width: float

    @property
    def places(self) -> npt.NDArray[np.float32]:
        """Coordinates to plot, (N, 2)."""
        return self.latent.embeddings[self.embedding][:, :2]

    def stop(self, class_name: str, coordinate: float) -> TourStop:
        """Middle of the particles in a state."""
        return state_stop(self.latent.mu, self.places, self.truth, class_name, coordinate)

    def picture(
        self,
        volume: npt.NDArray[np.float32],
        size: int,
        colour: Colour = _MOLECULE,
        *,
        level: float | None = None,
        turn: float = 0.0,
    ) -> Picture:
        """Surface of a volume, always from the same side and at the same scale."""
        mesh = surface_mesh(volume, self.level if level is None else level, self.pixel_size)
        rotation = view_rotation(_AZIMUTH + turn, _ELEVATION)
        return render_surfaces([(mesh, colour)], View(rotation, self.half_width, (size, size)))


def render_demo(run: RunFolder, out: Path) -> Task[list[Path]]:
    """Write the pictures that the demo's window would show, and a morph movie.

    Parameters
    ----------
    run : RunFolder
        A run trained on a simulated set, and analysed.
    out : Path
        Folder for the pictures; it is made where it is missing.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        Where run, analysis or particles are not there, or the folder cannot be written to.
    """
    # torch is imported with these.
    from napari_cryodrgn.decoding.volume import decode_volume, decode_volumes
    from napari_cryodrgn.model.checkpoint import load_model

    yield Progress(0, None, "Opening the run")
    scene = _scene(open_run(run.path))
    make_folder(out)
    model = load_model(run, scene.run.epoch)
    written: list[Path] = []

    def keep(name: str, picture: Picture) -> Progress:
        written.append(write_picture(out / name, picture))
        return Progress(len(written), None, "Drawing pictures")

    yield keep("latent_clusters.png", _clusters_plot(scene))
    yield keep("latent_truth.png", _truth_plots(scene))
    yield keep("clusters.png", _cluster_gallery(scene))
    pairs = _states(scene)
    decoded = list(decode_volumes(model, np.stack([stop.z for stop, _ in pairs])))
    yield keep("decoded_and_true.png", _comparison(scene, pairs, decoded))
    stops = tour(scene.latent.mu, scene.places, scene.truth)
    clicks = [_nearest_particle(scene, stop) for stop in (stops[0], stops[-1])]
    volumes = [decode_volume(model, click.z) for click in clicks]
    yield keep("click.png", _click(scene, clicks, volumes))
    frames = _frames(scene, stops, decode_volumes(model, np.stack([stop.z for stop in stops])))
    movie = yield from write_movie(out / "morph", frames, len(stops), frames_per_second=12)
    return [*written, movie]


def _scene(run: OpenRun) -> _Scene:
    if run.latent is None or run.particles is None or run.pixel_size is None:
        problem = str(run.problems[0]) if run.problems else "its particles are missing"
        raise InputError(f"the run cannot be shown: {problem}", file=run.folder.path)
    particles = SimulatedSet(run.particles.source.path.parent)
    if not particles.truth.is_file():
        raise InputError(
            "the run's particles are not simulated ones", file=run.particles.source.path
        )
    truth = pd.read_csv(particles.truth, keep_default_na=False, na_values={"coordinate": [""]})
    volumes = [read_volume(volume.path).data for volume in _clusters(run)]
    box = volumes[0].shape[0]
    return _Scene(
        run,
        run.latent,
        UMAP_NAME if UMAP_NAME in run.latent.embeddings else PCA_NAME,
        truth,
        particles,
        contour_level(volumes),
        run.pixel_size,
        0.45 * box * run.pixel_size,
    )


def _clusters(run: OpenRun) -> list[AnalysisVolume]:
    """Volumes of the k-means clusters."""
    volumes = [volume for volume in run.volumes if volume.group.startswith("kmeans")]
    if not volumes:
        raise InputError("the run has no analysis with clusters", file=run.folder.path)
    return volumes


def _labels(scene: _Scene) -> npt.NDArray[np.int64]:
    """Cluster of each particle, from 0."""
    column = scene.latent.columns[_clusters(scene.run)[0].group]
    return np.asarray(column.astype(int), dtype=np.int64)


def _representatives(scene: _Scene) -> npt.NDArray[np.float32]:
    """Where the clusters' representatives lie in the plot, (K, 2)."""
    z = np.stack([volume.z for volume in _clusters(scene.run) if volume.z is not None])
    distance = np.linalg.norm(scene.latent.mu[None] - z[:, None], axis=2)
    return np.asarray(scene.places[distance.argmin(axis=1)])


def _nearest_particle(scene: _Scene, stop: TourStop) -> TourStop:
    """The particle that a click close to a stop would pick, as the window does."""
    number = int(np.linalg.norm(scene.latent.mu - stop.z, axis=1).argmin())
    place = np.asarray(scene.places[number], dtype=np.float64)
    return TourStop(scene.latent.mu[number], place, stop.class_name, stop.coordinate)


def _framed(scene: _Scene, picture: Picture) -> Picture:
    return with_axes(picture, f"{scene.embedding} 1", f"{scene.embedding} 2")


def _clusters_plot(scene: _Scene) -> Picture:
    clusters = _clusters(scene.run)
    names = [str(volume.number - 1) for volume in clusters]
    plot = plot_classes(scene.places, _labels(scene), names, size=720, legend=False)
    numbered = plot.numbered(_representatives(scene), [volume.number - 1 for volume in clusters])
    return titled(
        _framed(scene, numbered),
        "Latent space, by cluster",
        f"{len(scene.latent)} particles, epoch {scene.latent.epoch}; numbers are where each "
        "cluster's volume was decoded",
    )


def _composition_plot(scene: _Scene) -> LatentPlot:
    table = scene.truth[["class", "class_name"]].replace("", np.nan).dropna().drop_duplicates()
    names = list(table.astype({"class": int}).sort_values("class")["class_name"])
    numbers = scene.truth["class"].replace("", 0).astype(int).to_numpy(np.int64) - 1
    return plot_classes(scene.places, numbers, names, size=_PLOT)


def _motion_plot(scene: _Scene) -> LatentPlot:
    values = scene.truth["coordinate"].to_numpy(np.float64)
    ends = ("arm open", "closed")
    return plot_quantity(scene.places, values, low=0.0, high=1.0, ends=ends, size=_PLOT)


def _truth_plots(scene: _Scene) -> Picture:
    plots = [
        _framed(scene, plot.picture) for plot in (_composition_plot(scene), _motion_plot(scene))
    ]
    captions = ("which parts are there", "how far the arm is turned")
    pictures = [captioned(plot, text) for plot, text in zip(plots, captions, strict=True)]
    return titled(
        tiled(pictures, 2),
        "The same latent space, by what is true",
        "The training knew neither: the colours are those of the simulation",
    )


def _cluster_gallery(scene: _Scene) -> Picture:
    labels = _labels(scene)
    pictures = []
    for volume in _clusters(scene.run):
        number = volume.number - 1
        surface = scene.picture(read_volume(volume.path).data, _MEDIUM, category_colour(number))
        surface = with_scale_bar(surface, 2 * scene.half_width / _MEDIUM)
        count = int((labels == number).sum())
        pictures.append(captioned(surface, f"cluster {number}", f"{count} particles"))
    return titled(
        tiled(pictures, 4), "Decoded volumes", "One for each cluster, in its colour; one contour"
    )


def _states(scene: _Scene) -> list[tuple[TourStop, Path]]:
    """Latent points of the true states at both ends and in the middle, and their volumes."""
    table = pd.read_csv(scene.set.states / "states.csv")
    chosen = table[table["coordinate"].isin([0.0, 0.5, 1.0])]
    return [
        (scene.stop(str(name), float(coordinate)), scene.set.states / str(file))
        for file, name, coordinate in zip(
            chosen["volume"], chosen["class_name"], chosen["coordinate"], strict=True
        )
    ]


def _comparison(
    scene: _Scene,
    pairs: list[tuple[TourStop, Path]],
    decoded: list[npt.NDArray[np.float32]],
) -> Picture:
    """True volumes above the decoded ones."""
    true = [read_volume(file).data for _, file in pairs]
    level = contour_level(true)
    columns = []
    for (stop, _), volume, expected in zip(pairs, decoded, true, strict=True):
        correlation = float(np.corrcoef(volume.ravel(), expected.ravel())[0, 1])
        columns.append(
            np.concatenate(
                [
                    scene.picture(expected, _SMALL, _TRUE, level=level),
                    captioned(
                        scene.picture(volume, _SMALL),
                        f"{stop.class_name}, {_place_name(stop.coordinate)}",
                        f"correlation {correlation:.2f}",
                    ),
                ]
            )
        )
    return titled(
        tiled(columns, len(columns), gap=4),
        "True and decoded",
        "Grey: what was simulated. Blue: what the model learned from noisy images",
    )


def _place_name(coordinate: float) -> str:
    if coordinate < 0.25:
        return "open"
    return "closed" if coordinate > 0.75 else "half open"


def _click(scene: _Scene, stops: list[TourStop], volumes: list[npt.NDArray[np.float32]]) -> Picture:
    """Two clicks, one below the other: plot with the pick, and its volume."""
    plot = _composition_plot(scene)
    rows = [
        np.concatenate(
            [_framed(scene, plot.marked(stop.place)), _volume_panel(scene, volume)], axis=1
        )
        for stop, volume in zip(stops, volumes, strict=True)
    ]
    return titled(
        tiled(rows, 1),
        "A click, another click",
        "Each volume is decoded at the ringed particle; contour and view stay",
    )


def _volume_panel(scene: _Scene, volume: npt.NDArray[np.float32], turn: float = 0.0) -> Picture:
    surface = scene.picture(volume, _LARGE, CATEGORIES[0], turn=turn)
    return with_scale_bar(surface, 2 * scene.half_width / _LARGE)


def _frames(
    scene: _Scene, stops: list[TourStop], volumes: Iterator[npt.NDArray[np.float32]]
) -> Iterator[Picture]:
    """Frames of the movie: the volume, turning a little, beside where it lies."""
    plot = _motion_plot(scene).with_path([stop.place for stop in stops])
    for number, (stop, volume) in enumerate(zip(stops, volumes, strict=True)):
        turn = 14 * np.sin(2 * np.pi * number / len(stops))
        text = f"{stop.class_name}, arm {stop.coordinate:.0%} closed"
        left = write(_volume_panel(scene, volume, turn), text, (14, 12))
        right = _framed(scene, plot.marked(stop.place))
        yield np.concatenate([left, right], axis=1)
