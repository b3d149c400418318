"""Simulate a heterogeneous particle set whose truth is known."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from napari_cryodrgn import __version__
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.mrc import stack_writer, write_volume
from napari_cryodrgn.io.pickles import write_ctf, write_poses
from napari_cryodrgn.io.safe_yaml import read_yaml
from napari_cryodrgn.particles import CTFParameters
from napari_cryodrgn.progress import Progress, Stopwatch, Task
from napari_cryodrgn.simulation.config import SimulationConfig

if TYPE_CHECKING:
    from napari_cryodrgn.simulation.scene import Scene

# Places along a motion at which the true volumes are written.
STATES_ALONG_MOTION = 5


@dataclass(frozen=True)
class SimulatedSet:
    """Paths within a simulated set.

    Parameters
    ----------
    path : Path
        The folder itself.
    """

    path: Path

    @property
    def star(self) -> Path:
        """RELION 3.1 table: images, poses, CTF, and the truth to colour by."""
        return self.path / "particles.star"

    @property
    def cryosparc_table(self) -> Path:
        """The same particles as cryoSPARC's table; of a set made like one."""
        return self.path / "particles.cs"

    @property
    def stack(self) -> Path:
        """The images."""
        return self.path / "particles.mrcs"

    @property
    def poses(self) -> Path:
        """Poses as the star file has them, in cryoDRGN's pickle."""
        return self.path / "poses.pkl"

    @property
    def ctf(self) -> Path:
        """CTF parameters in cryoDRGN's pickle; missing in a set without CTF."""
        return self.path / "ctf.pkl"

    @property
    def truth(self) -> Path:
        """Truth about each particle: state, junk, real pose."""
        return self.path / "truth.csv"

    @property
    def settings(self) -> Path:
        """What the set was made with."""
        return self.path / "simulation.yaml"

    @property
    def states(self) -> Path:
        """Folder of the true volumes, and ``states.csv``, which says what they are."""
        return self.path / "states"

    def state_volume(self, number: int) -> Path:
        """True volume of a state, numbered from 1 as in ``states.csv``."""
        return self.states / f"vol_{number:03d}.mrc"


def simulate(out: str | Path, config: SimulationConfig) -> Task[Path]:
    """Make a particle set with known truth.

    Parameters
    ----------
    out : path-like
        Folder to make; it must not exist or be empty. It appears once it is complete.
    config : SimulationConfig
        What to simulate.

    Returns
    -------
    Path
        The folder; see `SimulatedSet` for what is in it.

    Raises
    ------
    InputError
        Where the folder is in use or cannot be written, or given volumes or models cannot
        be used.
    """
    # torch is imported with these; the command line's help must not wait for it.
    from napari_cryodrgn.simulation.images import ImageMaker
    from napari_cryodrgn.simulation.optics import draw_ctf, micrograph_numbers
    from napari_cryodrgn.simulation.pattern import read_pattern, write_cryosparc_table
    from napari_cryodrgn.simulation.relion_table import relion_table
    from napari_cryodrgn.simulation.scene import build_scene
    from napari_cryodrgn.simulation.truth import draw_truth, generator

    out = Path(out).expanduser().absolute()
    _require_free(out)
    yield Progress(0, config.n_particles, "Preparing the molecule")
    pattern = None
    if config.like is not None:
        pattern = read_pattern(config.like, config.n_particles)
        config = config.model_copy(update={"n_particles": len(pattern)})
    scene = build_scene(config)
    grid = scene.box, scene.pixel_size
    truth = draw_truth(config, scene.structure, None if pattern is None else pattern.poses(*grid))
    ctf = None
    if config.ctf and pattern is None:
        ctf = draw_ctf(config, *grid, generator(config.seed, "optics"))
    elif config.ctf and pattern is not None:
        ctf = pattern.ctf(*grid)
    maker = ImageMaker(config, scene.structure, truth, ctf, scene.box, scene.pixel_size)
    with _whole_folder(out) as folder:
        files = SimulatedSet(folder)
        table = truth.table(scene.structure, scene.box, scene.pixel_size)
        _write_csv(files.truth, table)
        write_poses(files.poses, truth.given_poses)
        if ctf is not None:
            write_ctf(files.ctf, ctf)
        star = relion_table(
            files.stack.name,
            truth.given_poses,
            ctf,
            micrograph_numbers(len(truth)),
            table,
            *grid,
            others=None if pattern is None else pattern.columns,
        )
        write_text(files.star, star)
        if pattern is not None and pattern.columns is None:
            poses = truth.given_poses
            write_cryosparc_table(files.cryosparc_table, pattern, files.stack.name, poses, *grid)
        signal = yield from maker.measure_signal()
        yield from _write_images(files.stack, maker.images(signal), len(truth), scene.pixel_size)
        yield from _write_states(files, scene)
        _write_settings(files.settings, config, ctf, scene, signal)
    return out


def read_settings(path: Path) -> SimulationConfig:
    """The settings that a ``simulation.yaml`` tells.

    Raises
    ------
    InputError
        Where there is no such file, or it holds no settings of a simulation.
    """
    try:
        content = read_yaml(path)
        return SimulationConfig.model_validate(content["settings"])
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("this holds no settings of a simulation", file=path) from error


def _write_images(
    path: Path, chunks: Iterator[npt.NDArray[np.float32]], n_images: int, pixel_size: float
) -> Task[None]:
    watch, done = Stopwatch(n_images), 0
    with stack_writer(path, pixel_size) as add:
        for images in chunks:
            add(images)
            done += len(images)
            yield Progress(done, n_images, "Simulating images", watch.seconds_left(done))


def _write_states(files: SimulatedSet, scene: Scene) -> Task[None]:
    """Volumes of the true states, and a table of them."""
    structure = scene.structure
    coordinates = np.linspace(0, 1, STATES_ALONG_MOTION) if structure.moves else np.zeros(1)
    rows: list[dict[str, object]] = []
    _make_folder(files.states)
    for class_number, name in enumerate(structure.class_names):
        for coordinate in coordinates:
            yield Progress(len(rows), None, "Writing the true volumes")
            path = files.state_volume(len(rows) + 1)
            volume = structure.volume(class_number, float(coordinate), scene.box, scene.pixel_size)
            write_volume(path, volume, scene.pixel_size)
            rows.append(
                {
                    "volume": path.name,
                    "class": class_number + 1,
                    "class_name": name,
                    "coordinate": coordinate if structure.moves else None,
                }
            )
    _write_csv(files.states / "states.csv", pd.DataFrame(rows))


def _write_settings(
    path: Path, config: SimulationConfig, ctf: CTFParameters | None, scene: Scene, signal: float
) -> None:
    """The settings, and what followed from them."""
    settings = config.model_dump()
    for name in ("volumes", "models"):
        settings[name] = [str(file.expanduser().absolute()) for file in settings[name]]
    settings["like"] = None if config.like is None else str(config.like.expanduser().absolute())
    settings["chains"] = list(config.chains)
    settings["populations"] = list(config.populations)
    content = {
        "software": f"napari-cryodrgn {__version__}",
        "settings": settings,
        "box": scene.box,
        "pixel_size": float(scene.pixel_size),
        "classes": list(scene.structure.class_names),
        "signal_variance": float(signal),
        # Particles are bright in every set; only through a CTF is that the contrast that
        # training expects to invert.
        "invert_data": ctf is not None,
    }
    write_text(path, yaml.safe_dump(content, sort_keys=False))


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "this place is in use; nothing was written",
            file=out,
            hint="Give the name of a new folder",
        )


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A folder that takes its name once it is complete, and leaves nothing otherwise."""
    folder = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    with making_folders(out.parent):
        _make_folder(folder)
        try:
            yield folder
            _require_free(out)
            try:
                if out.exists():
                    out.rmdir()
                folder.rename(out)
            except OSError as error:
                raise InputError(f"it could not be made ({error.strerror})", file=out) from error
        finally:
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except OSError as error:
        raise InputError(f"this folder cannot be made ({error.strerror})", file=path) from error
