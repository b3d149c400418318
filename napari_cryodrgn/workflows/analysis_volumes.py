"""Volumes of an analysis: what is wanted, what is there, and what is to be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.analysis_files import Z_VALUES, volume_name
from napari_cryodrgn.workflows.analysis_record import AnalysisRecord, Piece, digest
from napari_cryodrgn.workflows.volume_files import (
    DeviceName,
    VolumeSettings,
    decode_files,
    is_whole,
)
from napari_cryodrgn.workflows.z_values import read_z_values, write_z_values

if TYPE_CHECKING:
    from napari_cryodrgn.model.loaded import LoadedModel


@dataclass(frozen=True, eq=False)
class VolumeGroup:
    """A folder of volumes and the latent points they belong to.

    Parameters
    ----------
    folder : Path
        ``kmeansK`` or ``pcN``.
    z : (n, zdim) float32 array
        A latent point for each volume.
    """

    folder: Path
    z: npt.NDArray[np.float32]

    @property
    def files(self) -> list[Path]:
        """The n volumes."""
        return [self.folder / volume_name(number) for number in range(1, len(self.z) + 1)]


@dataclass(frozen=True, eq=False)
class VolumePlan:
    """Volumes to be decoded, checked and ready.

    Parameters
    ----------
    made_from : dict
        What they are made from, for the record.
    z : (n, zdim) float32 array
        Latent points of those that are missing, damaged or of something else.
    files : list of Path
        The n files.
    model : LoadedModel or None
        The decoder; None where there is nothing to decode.
    settings : VolumeSettings
        How they are written.
    """

    made_from: Piece
    z: npt.NDArray[np.float32]
    files: list[Path]
    model: LoadedModel | None
    settings: VolumeSettings


def plan_volumes(
    run: RunFolder,
    epoch: int,
    record: AnalysisRecord,
    groups: list[VolumeGroup],
    settings: VolumeSettings,
    device: DeviceName,
) -> Task[VolumePlan | None]:
    """Find what is to be decoded, and load the model where anything is; writes nothing.

    Parameters
    ----------
    run : RunFolder
    epoch : int
        Whose weights decode.
    record : AnalysisRecord
        What the volumes that are there were made from.
    groups : list of VolumeGroup
        What is wanted.
    settings : VolumeSettings
        How volumes are written.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.

    Returns
    -------
    VolumePlan or None
        None where all is there and the weights are not.

    Raises
    ------
    InputError
        Where the weights or the device cannot be used.
    """
    weights = run.weights(epoch)
    if not weights.is_file() and all(_is_complete(group, settings) for group in groups):
        return None
    if not weights.is_file():
        raise InputError(
            "the weights of this epoch are missing, and volumes cannot be decoded",
            file=weights,
            hint="Leave the volumes out with --skip-vol",
        )
    made_from: Piece = {
        "weights": digest(weights),
        "flip": settings.flip,
        "invert": settings.invert,
    }
    wanted: list[tuple[npt.NDArray[np.float32], Path]] = []
    for group in groups:
        is_stale = not _belongs(group, record, made_from)
        wanted += [
            (z, file)
            for z, file in zip(group.z, group.files, strict=True)
            if is_stale or not is_whole(file, settings)
        ]
    if not wanted:
        return VolumePlan(made_from, groups[0].z[:0], [], None, settings)
    # torch is only needed, and the model only loaded, where something is to be decoded.
    from napari_cryodrgn.model.checkpoint import load_model
    from napari_cryodrgn.training.device import choose_device

    yield Progress(0, len(wanted), "Loading the model")
    model = load_model(run, epoch, choose_device(device))
    z = np.stack([point for point, _ in wanted])
    return VolumePlan(made_from, z, [file for _, file in wanted], model, settings)


def decode_plan(plan: VolumePlan) -> Task[None]:
    """Decode and write what is planned, in folders that exist."""
    if plan.model is not None:
        yield from decode_files(plan.model, plan.z, plan.files, plan.settings)


def settle_points(group: VolumeGroup, record: AnalysisRecord, made_from: Piece | None) -> None:
    """Make a group's folder say what its volumes are, and remove volumes of anything else.

    Done before the first volume is decoded: where the work is cut short, the
    volumes that are there are of the points and weights that the folder names.

    Parameters
    ----------
    group : VolumeGroup
        Its folder must exist.
    record : AnalysisRecord
        Where what the volumes are made from is written down.
    made_from : dict or None
        What that is; None where no volumes are made.

    Raises
    ------
    InputError
        Where something cannot be written.
    """
    same = _same_points(group)
    stale = not same or (made_from is not None and not _belongs(group, record, made_from))
    if stale:
        for file in group.folder.glob("vol_*.mrc"):
            file.unlink(missing_ok=True)
    if not same:
        write_z_values(group.folder / Z_VALUES, group.z)
    if made_from is not None:
        record.note(group.folder.name, made_from)


def _is_complete(group: VolumeGroup, settings: VolumeSettings) -> bool:
    return _same_points(group) and all(is_whole(file, settings) for file in group.files)


def _belongs(group: VolumeGroup, record: AnalysisRecord, made_from: Piece) -> bool:
    """Whether the volumes of a group are of these points, weights and signs."""
    known = record.of(group.folder.name)
    if known is None:
        # cryoDRGN's own: neither mirrored nor inverted, as far as anyone can tell.
        return _same_points(group) and not made_from["flip"] and not made_from["invert"]
    return _same_points(group) and known == made_from


def _same_points(group: VolumeGroup) -> bool:
    try:
        there = read_z_values(group.folder / Z_VALUES, group.z.shape[1])
    except InputError:
        return False
    scale = float(np.abs(group.z).max(initial=0.0))
    return there.shape == group.z.shape and np.allclose(there, group.z, rtol=0, atol=1e-4 * scale)
