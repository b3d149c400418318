"""What a reconstruction leaves on disk: maps, half maps, FSC as numbers and as a picture."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.fsc_plot import plot_fsc
from napari_cryodrgn.export.movie import write_picture
from napari_cryodrgn.io.atomic import making_folders, write_text, writing_failed
from napari_cryodrgn.io.mrc import write_volume
from napari_cryodrgn.reconstruction.backprojection import Backprojection
from napari_cryodrgn.reconstruction.fsc import GOLD_STANDARD, HALF
from napari_cryodrgn.reconstruction.half_map_fsc import HalfMapFSC

MAP, HALF_A, HALF_B = "backproject.mrc", "half_map_a.mrc", "half_map_b.mrc"
FSC_VALUES, FSC_PLOT, RECORD = "fsc-vals.txt", "fsc-plot.png", "backproject.json"


def write_backprojection(
    out: Path,
    made: Backprojection,
    fsc: HalfMapFSC | None,
    *,
    pixel_size: float | None,
    record: Mapping[str, object],
    half_maps: bool = True,
) -> list[Path]:
    """Write a reconstruction into a folder: all of its files, or none.

    Parameters
    ----------
    out : Path
        The folder; made where it is missing.
    made : Backprojection
        The maps.
    fsc : HalfMapFSC or None
        Of the half maps; None leaves its files out.
    pixel_size : float or None
        Å per voxel.
    record : mapping
        What the map was made from, for ``backproject.json``.
    half_maps : bool
        Write the half maps.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or the disk is full; nothing is changed then.
    """
    with making_folders(out), _together(out) as folder:
        write_volume(folder / MAP, made.volume, pixel_size)
        if half_maps:
            write_volume(folder / HALF_A, made.half_a, pixel_size)
            write_volume(folder / HALF_B, made.half_b, pixel_size)
        if fsc is not None:
            write_text(folder / FSC_VALUES, fsc_table(fsc))
            write_picture(folder / FSC_PLOT, _picture(fsc, made.n_particles))
        content = {**record, "particles used": made.n_particles, **_resolutions(fsc)}
        write_text(folder / RECORD, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        written = sorted(path.name for path in folder.iterdir())
    return [out / name for name in written]


def fsc_table(fsc: HalfMapFSC) -> str:
    """The curves in cryoDRGN's layout: pixres is the frequency in cycles per pixel."""
    columns = [curve.values for curve in fsc.curves.values()]
    rows = np.column_stack([fsc.unmasked.frequencies, *columns])
    lines = [" ".join(["pixres", *fsc.curves]), " ".join(["0.0", *["1.0"] * len(columns)])]
    lines += [" ".join(f"{value:.6g}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def _resolutions(fsc: HalfMapFSC | None) -> dict[str, object]:
    if fsc is None:
        return {}
    return {
        f"resolution, {fsc.unmasked.unit}": {
            name: {
                str(threshold): round(curve.resolution(threshold), 4)
                for threshold in (GOLD_STANDARD, HALF)
            }
            for name, curve in fsc.curves.items()
        }
    }


def _picture(fsc: HalfMapFSC, count: int) -> np.ndarray:
    return plot_fsc(
        fsc.unmasked.spatial_frequencies,
        {name: curve.values for name, curve in fsc.curves.items()},
        unit=fsc.unmasked.unit,
        title=f"FSC of half maps, {count:,} particles",
        note=fsc.lines()[-1],
    )


@contextlib.contextmanager
def _together(out: Path) -> Iterator[Path]:
    """A folder whose files move to `out` together, once all are there."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=".backproject-", dir=out))
        yield folder
        for path in sorted(folder.iterdir()):
            path.replace(out / path.name)
    except OSError as error:
        raise InputError(writing_failed(error), file=out) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
