"""Two volumes compared: their difference, correlation and Fourier shell correlation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.mrc import read_volume, write_volume
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.reconstruction.fsc import (
    GOLD_STANDARD,
    HALF,
    FSCCurve,
    fourier_shell_correlation,
)
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.run_inputs import find_pixel_size
from napari_cryodrgn.workflows.volume_files import DeviceName, volume_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIXEL_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two volumes, and how they differ.

    Parameters
    ----------
    first, second : (box, box, box) float32 array
        The volumes, [z, y, x].
    difference : (box, box, box) float32 array
        Second minus first.
    correlation : float
        Pearson correlation of all voxels, -1 to 1.
    rms : float
        Root mean square of the difference.
    fsc : FSCCurve
        Correlation by resolution shell.
    pixel_size : float or None
        Å per voxel; None where it is not known.
    """

    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]
    difference: npt.NDArray[np.float32]
    correlation: float
    rms: float
    fsc: FSCCurve
    pixel_size: float | None

    @property
    def report(self) -> tuple[str, ...]:
        """What to say of it."""
        return (
            f"Correlation {self.correlation:.4f}",
            f"RMS difference {self.rms:.4g} "
            f"({self.rms / max(float(self.first.std()), 1e-30):.1%} of the first volume's)",
            f"FSC = {HALF} at {self.fsc.resolution_text(HALF)}",
            f"FSC = {GOLD_STANDARD} at {self.fsc.resolution_text(GOLD_STANDARD)}",
        )


def compare_volumes(
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32],
    pixel_size: float | None = None,
) -> Comparison:
    """Compare two volumes on one grid.

    Parameters
    ----------
    first, second : (box, box, box) float32 array
        Densities, [z, y, x], of one scale, such as those of one decoder.
    pixel_size : float, optional
        Å per voxel of both.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Where their boxes differ or one of them is constant.
    """
    if first.shape != second.shape:
        raise InputError(f"the volumes have different boxes: {first.shape} and {second.shape}")
    for name, volume in (("first", first), ("second", second)):
        if not np.isfinite(volume).all() or not np.ptp(volume) > 0:
            raise InputError(f"the {name} volume is constant or not finite")
    difference = second - first
    return Comparison(
        first,
        second,
        difference,
        float(np.corrcoef(first.ravel(), second.ravel())[0, 1]),
        float(np.sqrt(np.square(difference, dtype=np.float64).mean())),
        fourier_shell_correlation(first, second, pixel_size),
        pixel_size,
    )


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two ``.mrc`` files; see `compare_volumes`.

    Raises
    ------
    InputError
        Where a file cannot be read, or their boxes or pixel sizes differ.
    """
    one, other = read_volume(first), read_volume(second)
    sizes = [volume.pixel_size for volume in (one, other) if volume.pixel_size is not None]
    if len(sizes) == 2 and not np.allclose(sizes[0], sizes[1], rtol=_PIXEL_TOLERANCE):
        raise InputError(
            f"its pixel size is {sizes[1][0]:.4g} Å, that of {first.name} {sizes[0][0]:.4g} Å",
            file=second,
        )
    return compare_volumes(one.data, other.data, float(sizes[0][0]) if sizes else None)


def compare_states(
    run: Path,
    epoch: int | None,
    z: Sequence[npt.NDArray[np.float32]] | npt.NDArray[np.float32],
    *,
    box: int | None = None,
    device: DeviceName = "auto",
) -> Task[Comparison]:
    """Decode two latent points of a run and compare their volumes.

    Parameters
    ----------
    run : Path
        Run folder.
    epoch : int or None
        Which epoch; the latest if None.
    z : (2, zdim) array
        The latent points.
    box : int, optional
        Side of the volumes, px.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to decode.

    Returns
    -------
    Comparison
    """
    # torch is imported with these.
    from napari_cryodrgn.decoding.volume import decode_volumes
    from napari_cryodrgn.model.checkpoint import load_model
    from napari_cryodrgn.training.device import choose_device

    points = np.asarray(z, dtype=np.float32)
    if len(points) != 2:
        raise InputError("two states are compared", field="states", value=len(points))
    folder = RunFolder.existing(run)
    yield Progress(0, None, "Loading the model")
    number = folder.epoch_or_latest(epoch, folder.weight_epochs(), "weights")
    model = load_model(folder, number, choose_device(device))
    report = Progress(0, None, "Looking for the pixel size")
    known = yield from in_thread(lambda: find_pixel_size(folder, model.config, None), report)
    settings = volume_settings(model.box, known, box=box, pixel_size=None, flip=False, invert=False)
    report = Progress(0, None, "Decoding both states")
    first, second = yield from in_thread(
        lambda: tuple(decode_volumes(model, points, box=settings.box)), report
    )
    return compare_volumes(first, second, settings.pixel_size)


def write_comparison(
    comparison: Comparison, difference: Path | None = None, fsc: Path | None = None
) -> list[Path]:
    """Write the difference map (``.mrc``) and the FSC (text), each whole or not at all."""
    written = [file for file in (difference, fsc) if file is not None]
    with making_folders(*(file.absolute().parent for file in written)):
        if difference is not None:
            write_volume(difference, comparison.difference, comparison.pixel_size)
        if fsc is not None:
            unit = comparison.fsc.unit
            rows = zip(comparison.fsc.spatial_frequencies, comparison.fsc.values, strict=True)
            lines = [f"{frequency:.6g} {value:.6f}\n" for frequency, value in rows]
            write_text(fsc, "".join([f"# frequency (1/{unit}) FSC\n", *lines]))
    return written
