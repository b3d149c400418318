"""From the settings to what is simulated: a structure, a box and a pixel size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.simulation import gaussians
from napari_cryodrgn.simulation.atomic_model import chosen_chains, read_models
from napari_cryodrgn.simulation.config import FIELD_OF_VIEW, SimulationConfig
from napari_cryodrgn.simulation.gaussians import GaussianMolecule, resolution_width
from napari_cryodrgn.simulation.structure import BuiltinStructure, MorphStructure, Structure
from napari_cryodrgn.simulation.volume_structure import VolumeStructure

DEFAULT_BOX = 64
DEFAULT_CLASSES = 3
# Finest detail of the molecule, in pixels: above two, so that maps do not ring.
DEFAULT_RESOLUTION_PIXELS = 3.0
# A molecule given as a model is laid into a box this many times its diameter.
BOX_PER_DIAMETER = 1.5


@dataclass(frozen=True, eq=False)
class Scene:
    """What is simulated, and on which grid.

    Parameters
    ----------
    structure : Structure
        The molecule and its states.
    box : int
        Side of the images, px.
    pixel_size : float
        Å per pixel.
    """

    structure: Structure
    box: int
    pixel_size: float


def build_scene(config: SimulationConfig) -> Scene:
    """Make the structure that the settings describe.

    Parameters
    ----------
    config : SimulationConfig
        The settings.

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        Where volumes or models cannot be read or do not fit together.
    """
    if config.volumes:
        return _of_volumes(config)
    if config.models:
        return _of_models(config)
    return _builtin(config)


def _builtin(config: SimulationConfig) -> Scene:
    box = config.box or DEFAULT_BOX
    pixel_size = config.apix or FIELD_OF_VIEW / box
    kind = "both" if config.kind == "auto" else config.kind
    n_classes = 1
    if kind in ("composition", "both"):
        n_classes = len(config.populations) or DEFAULT_CLASSES
    most = len(BuiltinStructure.CLASS_NAMES)
    if n_classes > most:
        raise InputError(
            f"the built-in complex has at most {most} classes",
            field="populations",
            value=", ".join(map(str, config.populations)),
        )
    hinge_range = config.hinge_range if kind in ("hinge", "both") else 0.0
    return Scene(
        BuiltinStructure(hinge_range, n_classes, _blur(config, pixel_size)), box, pixel_size
    )


def _of_volumes(config: SimulationConfig) -> Scene:
    volumes: list[npt.NDArray[np.float32]] = []
    sizes: list[float] = []
    for path in config.volumes:
        volume = read_volume(path)
        if len(set(volume.data.shape)) != 1:
            raise InputError(
                "volumes to project must be cubes",
                file=path,
                field="shape",
                value=volume.data.shape,
            )
        if not np.isfinite(volume.data).all():
            raise InputError("the volume holds NaN or infinite voxels", file=path)
        if volume.data.min() == volume.data.max():
            raise InputError(
                "every voxel of the volume is the same: it shows nothing",
                file=path,
                field="voxels",
                value=f"{volume.data.min():g}",
            )
        if volumes and volume.data.shape != volumes[0].shape:
            raise InputError(
                f"the volumes differ in size (the first one is {volumes[0].shape[0]} px)",
                file=path,
                field="box",
                value=volume.data.shape[0],
            )
        volumes.append(volume.data)
        sizes.append(config.volume_apix or _header_size(path, volume.pixel_size))
        if abs(sizes[-1] / sizes[0] - 1) > 1e-3:
            raise InputError(
                f"the volumes differ in pixel size (the first one has {sizes[0]:g} Å)",
                file=path,
                field="pixel size",
                value=sizes[-1],
            )
    names = tuple(path.stem for path in config.volumes)
    box = config.box or volumes[0].shape[0] // 2 * 2
    structure = VolumeStructure.of(names, volumes, sizes[0])
    return Scene(structure, box, config.apix or sizes[0])


def _header_size(path: Path, pixel_size: tuple[float, float, float] | None) -> float:
    if pixel_size is None:
        raise InputError(
            "the header has no pixel size", file=path, hint="Give it with --volume-apix"
        )
    if max(pixel_size) / min(pixel_size) > 1 + 1e-3:
        raise InputError(
            "the voxels are not cubes",
            file=path,
            field="pixel size",
            value=", ".join(f"{size:g}" for size in pixel_size),
        )
    return pixel_size[0]


def _of_models(config: SimulationConfig) -> Scene:
    names, molecules = _read_states(config)
    centre = molecules[0].centre
    centred = [
        GaussianMolecule(molecule.positions - centre, molecule.weights, molecule.widths)
        for molecule in molecules
    ]
    radius = max(molecule.radius for molecule in centred)
    box = config.box or DEFAULT_BOX
    pixel_size = config.apix or round(2 * radius * BOX_PER_DIAMETER / box, 3)
    if box * pixel_size < 2 * radius:
        raise InputError(
            f"the molecule, {2 * radius:.0f} Å across, does not fit the box of "
            f"{box * pixel_size:.0f} Å",
            field="box",
            value=box,
        )
    blurred = [molecule.blurred(_blur(config, pixel_size)) for molecule in centred]
    if config.kind == "morph":
        return Scene(_morph(config, blurred), box, pixel_size)
    volumes = [gaussians.density(molecule, box, pixel_size) for molecule in blurred]
    return Scene(VolumeStructure.of(tuple(names), volumes, pixel_size), box, pixel_size)


def _read_states(config: SimulationConfig) -> tuple[list[str], list[GaussianMolecule]]:
    """Names and atoms of the states: files, models within a file, or sets of chains."""
    if config.chains:
        if len(config.models) != 1:
            raise InputError(
                "chains can be chosen from one atomic model only",
                field="models",
                value=len(config.models),
            )
        path = config.models[0]
        chains = read_models(path)[0]
        return list(config.chains), [chosen_chains(chains, name, path) for name in config.chains]
    names, molecules = [], []
    for path in config.models:
        models = read_models(path)
        for number, chains in enumerate(models, 1):
            names.append(path.stem if len(models) == 1 else f"{path.stem} {number}")
            molecules.append(chosen_chains(chains, None, path))
    return names, molecules


def _morph(config: SimulationConfig, conformations: list[GaussianMolecule]) -> MorphStructure:
    if len(conformations) < 2:
        raise InputError(
            "a morph needs two conformations or more", field="models", value=len(conformations)
        )
    first = conformations[0]
    for number, other in enumerate(conformations[1:], 2):
        if len(other) != len(first) or not np.array_equal(other.weights, first.weights):
            raise InputError(
                f"conformation {number} has other atoms than the first one "
                f"({len(other)} and {len(first)} without hydrogens and water)",
                file=config.models[min(number, len(config.models)) - 1],
                field="atoms",
            )
    return MorphStructure(conformations, config.models[0].stem)


def _blur(config: SimulationConfig, pixel_size: float) -> float:
    """Width (Å) of the blur that gives the resolution asked for."""
    return resolution_width(config.resolution or DEFAULT_RESOLUTION_PIXELS * pixel_size)
