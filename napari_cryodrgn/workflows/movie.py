"""Movies of a path: MP4, GIF, PNG frames, and series of volumes for ChimeraX."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.chimerax import morph_script, series_script
from napari_cryodrgn.export.movie import (
    check_movie,
    undone_unless_finished,
    write_frames,
    write_movie,
)
from napari_cryodrgn.export.surface_mesh import contour_level
from napari_cryodrgn.export.surface_render import view_rotation
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.mrc import write_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Progress, Stopwatch, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analysis_files import volume_name
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.movie_recipe import MovieRecipe, colour_of, digest, write_recipe
from napari_cryodrgn.workflows.movie_scene import MovieScene, frames, latent_panel, state_volume
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.run_inputs import find_pixel_size
from napari_cryodrgn.workflows.volume_files import DeviceName, volume_settings
from napari_cryodrgn.workflows.z_values import write_z_values

logger = logging.getLogger(__name__)

Z_PATH = "z-path.txt"
SERIES_SCRIPT = "series.cxc"
MORPH_SCRIPT = "morph.cxc"


@dataclass(frozen=True)
class MovieFiles:
    """What was written.

    Parameters
    ----------
    movie : Path or None
        The movie.
    recipe : Path or None
        What repeats it.
    frames, volumes, scripts : tuple of Path
        PNGs; volumes; z-path.txt and scripts for ChimeraX.
    """

    movie: Path | None = None
    recipe: Path | None = None
    frames: tuple[Path, ...] = ()
    volumes: tuple[Path, ...] = ()
    scripts: tuple[Path, ...] = ()


def make_movie(
    recipe: MovieRecipe,
    out: Path | None = None,
    *,
    frames_folder: Path | None = None,
    volumes_folder: Path | None = None,
    recipe_file: Path | None = None,
    device: DeviceName = "auto",
) -> Task[MovieFiles]:
    """Make a movie, its frames, or its volumes: whichever places are given.

    Everything is checked before anything is decoded. Closing the task leaves nothing of what
    it was writing.

    Parameters
    ----------
    recipe : MovieRecipe
        What to show.
    out : Path, optional
        The movie, ``.mp4`` or ``.gif``.
    frames_folder : Path, optional
        Folder for ``frame_0001.png`` …
    volumes_folder : Path, optional
        Folder for ``vol_001.mrc`` …, ``z-path.txt``, ``series.cxc`` and ``morph.cxc``.
    recipe_file : Path, optional
        JSON file for the recipe, completed by what was chosen: contour level, pixel size,
        epoch and digest of the weights.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to decode.

    Returns
    -------
    MovieFiles

    Raises
    ------
    InputError
        Where run, weights, points or settings do not do, or a place cannot be written to.
    """
    if out is None and frames_folder is None and volumes_folder is None:
        raise InputError("nothing is to be written", hint="Give -o, --frames or --volumes")
    if out is not None:
        check_movie(out, recipe.frame_size)
    for file in (out, recipe_file):
        if file is not None and not file.absolute().parent.is_dir():
            raise InputError("its folder does not exist", file=file)
    scene = yield from prepare_scene(recipe, device)
    made = MovieFiles()
    folders = [folder for folder in (frames_folder, volumes_folder) if folder is not None]
    with making_folders(*folders), undone_unless_finished() as new:
        if volumes_folder is not None:
            made = yield from _volumes(scene, volumes_folder, new)
        if frames_folder is not None:
            count = len(scene.recipe.order)
            digits = max(4, len(str(count)))
            paths = [frames_folder / f"frame_{n + 1:0{digits}d}.png" for n in range(count)]
            new += [path for path in paths if not path.exists()]
            made = replace(made, frames=tuple((yield from write_frames(paths, frames(scene)))))
        if out is not None:
            is_new = not out.exists()
            made = replace(made, movie=(yield from _movie(scene, out)))
            new += [out] if is_new else []
        if recipe_file is not None:
            write_recipe(recipe_file, scene.recipe)
            made = replace(made, recipe=recipe_file)
    return made


def prepare_scene(recipe: MovieRecipe, device: DeviceName = "auto") -> Task[MovieScene]:
    """Load and choose what all frames of a movie share.

    Parameters
    ----------
    recipe : MovieRecipe
    device : {"auto", "cuda", "mps", "cpu"}

    Returns
    -------
    MovieScene
        Its recipe is complete: with it the same movie is made again.
    """
    # torch is imported with these.
    from napari_cryodrgn.model.checkpoint import load_model
    from napari_cryodrgn.training.device import choose_device

    run = RunFolder.existing(recipe.run)
    yield Progress(0, None, "Loading the model")
    epoch = _epoch(run, recipe.epoch)
    sha = digest(run.weights(epoch)) if run.weights(epoch).is_file() else ""
    if recipe.weights and sha != recipe.weights:
        logger.warning(
            "The weights of epoch %s are not those that the recipe was made with: "
            "the movie will differ.",
            epoch,
        )
    model = load_model(run, epoch, choose_device(device))
    points = recipe.points
    if points.shape[1] != model.zdim:
        raise InputError(
            f"the run's latent points have {model.zdim} numbers", field="z", value=points.shape[1]
        )
    known = None
    if recipe.pixel_size is None:
        report = Progress(0, None, "Looking for the pixel size")
        known = yield from in_thread(
            lambda: find_pixel_size(run, model.config, _count(run)), report
        )
    settings = volume_settings(
        model.box,
        known,
        box=recipe.box,
        pixel_size=recipe.pixel_size,
        flip=recipe.flip,
        invert=recipe.invert,
    )
    panel = None
    if recipe.layout == "composite":
        width, height = recipe.frame_size
        report = Progress(0, None, "Drawing the latent space")
        panel = yield from in_thread(
            lambda: latent_panel(
                _latent(run, epoch), points, recipe.axes, (width - height, height)
            ),
            report,
        )
    scene = MovieScene(recipe, model, settings, 0.0, None, panel)
    level = yield from _level(scene)
    yield Progress(0, None, "Decoding the first state")
    first = state_volume(model, points[0], settings) if recipe.difference else None
    complete = recipe.model_copy(
        update={
            "run": run.path,
            "epoch": epoch,
            "weights": sha,
            "box": settings.box,
            "pixel_size": settings.pixel_size,
            "level": level,
            "size": recipe.frame_size,
        }
    )
    return replace(scene, recipe=complete, level=level, first=first)


def _level(scene: MovieScene) -> Task[float]:
    """The contour level given, or one that suits the beginning, the middle and the end."""
    recipe, count = scene.recipe, len(scene.recipe.z)
    volumes: list[npt.NDArray[np.float32]] = []
    for state in sorted({0, count // 2, count - 1}):
        yield Progress(len(volumes), 3, "Choosing a contour level")
        volumes.append(state_volume(scene.model, recipe.points[state], scene.settings))
    if recipe.level is None:
        return contour_level(volumes)
    low, high = min(map(np.min, volumes)), max(map(np.max, volumes))
    if not low < recipe.level < high:
        raise InputError(
            f"the volumes have values from {low:.4g} to {high:.4g}",
            field="level",
            value=recipe.level,
        )
    return recipe.level


def _movie(scene: MovieScene, out: Path) -> Task[Path]:
    made = frames(scene)
    try:
        path = yield from write_movie(
            out,
            made,
            len(scene.recipe.order),
            frames_per_second=scene.recipe.frames_per_second,
            repeat=scene.recipe.play != "once",
        )
    finally:
        made.close()  # type: ignore[attr-defined]  # it is a generator
    return path


def _volumes(scene: MovieScene, folder: Path, new: list[Path]) -> Task[MovieFiles]:
    """The series of volumes, its latent points, and the scripts that show it."""
    recipe, settings = scene.recipe, scene.settings
    count = len(recipe.z)
    paths = [folder / volume_name(number + 1) for number in range(count)]
    scripts = [folder / name for name in (Z_PATH, SERIES_SCRIPT, MORPH_SCRIPT)]
    new += [path for path in (*paths, *scripts) if not path.exists()]
    watch = Stopwatch(count)
    for number, path in enumerate(paths):
        yield Progress(number, count, "Writing volumes", watch.seconds_left(number))
        volume = state_volume(scene.model, recipe.points[number], settings)
        write_volume(path, volume, settings.pixel_size)
    write_z_values(scripts[0], recipe.points)
    if settings.pixel_size is None:
        logger.warning(
            "The pixel size is unknown, and ChimeraX takes voxels to be 1 Å wide: give --Apix."
        )
    names = [path.name for path in paths]
    look = {
        "level": scene.level,
        "colour": colour_of(recipe.colour),
        "rotation": view_rotation(recipe.azimuth, recipe.elevation),
        "box": settings.box,
        "pixel_size": settings.pixel_size,
    }
    speed, back = recipe.frames_per_second, recipe.play == "ping-pong"
    series = series_script(names, **look, frames_per_second=speed, back_and_forth=back)  # type: ignore[arg-type]
    write_text(scripts[1], series)
    write_text(scripts[2], morph_script(names, **look, n_frames=5 * count))  # type: ignore[arg-type]
    return MovieFiles(volumes=tuple(paths), scripts=tuple(scripts))


def _epoch(run: RunFolder, epoch: int | None) -> int | None:
    epochs = run.weight_epochs()
    if epoch is None and not epochs and run.weights().is_file():
        return None
    return run.epoch_or_latest(epoch, epochs, "weights")


def _latent(run: RunFolder, epoch: int | None) -> LatentSpace:
    latent = open_run(run.path, epoch).latent
    if latent is None:
        raise InputError(
            "the run has no latents to plot", file=run.path, hint="Take the layout 'volume'"
        )
    return latent


def _count(run: RunFolder) -> int | None:
    epochs = run.latent_epochs()
    return len(read_latents(run.latents(epochs[-1])).mu) if epochs else None
