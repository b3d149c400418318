"""Which volumes a run can show: by its weights, or from the files of its analysis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError

if TYPE_CHECKING:
    from napari_cryodrgn.run import AnalysisFolder
    from napari_cryodrgn.workflows.open_run import OpenRun


def shown_epoch(run: OpenRun | None) -> int | None:
    """Epoch of the latent space of a run; None without one, or for latents without a number."""
    return None if run is None or run.latent is None else run.latent.epoch


def weights_file(run: OpenRun) -> Path | None:
    """The weights of the epoch shown; None where they, or the configuration, are missing."""
    if run.config is None:
        return None
    epoch = shown_epoch(run)
    file = run.folder.weights(epoch)
    return file if file.is_file() else None


def missing_weights_text(run: OpenRun) -> str:
    """Which file is missing for decoding, and where it was looked for."""
    folder = run.folder
    missing = [
        file.name
        for file in (folder.config, folder.weights(shown_epoch(run)))
        if not file.is_file()
    ]
    return (
        f"No volume can be decoded: {' and '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} missing. Looked in {folder.path}."
    )


@dataclass(frozen=True, eq=False)
class AnalysisState:
    """A volume that an analysis wrote, and the latent point it belongs to.

    Parameters
    ----------
    file : Path
        The volume, MRC.
    z : (zdim,) float32 array
        Centre of its k-means cluster.
    """

    file: Path
    z: npt.NDArray[np.float32]


def analysis_states(run: OpenRun) -> list[AnalysisState]:
    """Volumes of the k-means centres of the epoch shown, of those whose files are there.

    Raises
    ------
    InputError
        Where the table of centres cannot be read.
    """
    epoch = shown_epoch(run)
    if epoch is None:
        return []
    analysis = run.folder.analysis(epoch)
    return [
        state
        for count in analysis.kmeans_counts()
        for state in _states_of(analysis, count, run.latent.zdim)
    ]


def _states_of(analysis: AnalysisFolder, count: int, zdim: int) -> list[AnalysisState]:
    folder = analysis.kmeans(count)
    table = folder / "centers.txt"
    if not table.is_file():
        return []
    try:
        centres = np.loadtxt(table, dtype=np.float32, ndmin=2)
    except ValueError as error:
        raise InputError(f"the cluster centres cannot be read: {error}", file=table) from error
    if centres.shape[1] != zdim and len(centres) == zdim:
        centres = centres.T  # one dimension: written as a row
    if centres.shape[1] != zdim:
        raise InputError(
            f"it has {centres.shape[1]} columns where the latents have {zdim}", file=table
        )
    # cryoDRGN numbers volumes from 1 since version 3.5, from 0 before.
    first = 0 if (folder / "vol_000.mrc").is_file() else 1
    files = [folder / f"vol_{number + first:03d}.mrc" for number in range(len(centres))]
    return [
        AnalysisState(file, z) for file, z in zip(files, centres, strict=True) if file.is_file()
    ]


def nearest_state(states: list[AnalysisState], z: npt.NDArray[np.float32]) -> AnalysisState | None:
    """The state whose latent point is nearest; None where there is none at all."""
    if not states:
        return None
    return min(states, key=lambda state: float(np.square(state.z - z).sum()))


def file_pixel_size(header_value: tuple[float, float, float] | None) -> float | None:
    """Pixel size by the header of a volume of cryoDRGN's.

    Its analysis writes 1 Å where it does not know better, so that 1 tells nothing.
    """
    if header_value is None or header_value[0] in (0.0, 1.0):
        return None
    return header_value[0]
