"""Volumes that an analysis has left in a run's folder, as volumes of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.session_records import IntensityScale, Pick, ShownVolume

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.analysis_files import AnalysisVolume
    from napari_cryodrgn.workflows.open_run import OpenRun

N_READ = 4
"""Volumes at most that contrast and contour are set from."""


def centre_states(run: OpenRun) -> list[AnalysisVolume]:
    """The k-means volumes in the folder that say which latent point is theirs."""
    return [
        volume
        for volume in run.volumes
        if volume.z is not None and volume.group.startswith("kmeans")
    ]


def nearest_state(run: OpenRun, z: npt.NDArray[np.float32]) -> AnalysisVolume | None:
    """The k-means volume in the folder whose latent point is nearest; None without any."""
    states = centre_states(run)
    if not states:
        return None
    distances = [float(np.square(np.asarray(state.z) - z).sum()) for state in states]
    return states[int(np.argmin(distances))]


def reconstruction(run: OpenRun) -> AnalysisVolume | None:
    """The one volume of a run without latent space; None where it is not there."""
    return next((volume for volume in run.volumes if volume.group == "reconstruction"), None)


def read_state(run: OpenRun, state: AnalysisVolume, pick: Pick | None) -> ShownVolume:
    """Read a volume of the run's folder, as what is shown for this pick."""
    from napari_cryodrgn.io.mrc import read_volume

    volume = read_volume(state.path)
    # cryoDRGN's analysis writes 1 Å where it does not know better, so that 1 tells nothing.
    by_header = volume.pixel_size[0] if volume.pixel_size else 0.0
    return ShownVolume(
        volume.data,
        by_header if by_header not in (0.0, 1.0) else run.pixel_size,
        np.zeros(0, np.float32) if state.z is None else state.z,
        run.epoch or 0,
        f"{state.group}/{state.path.name}",
        pick,
        file=state.path,
    )


def scales_of(run: OpenRun, shown: ShownVolume) -> list[IntensityScale]:
    """Statistics of a volume and of some others of the folder, for contrast and contour."""
    from napari_cryodrgn.io.mrc import read_volume

    others = [state.path for state in centre_states(run) if state.path != shown.file]
    volumes = [shown.data, *(read_volume(path).data for path in others[: N_READ - 1])]
    return [IntensityScale.of(volume) for volume in volumes]
