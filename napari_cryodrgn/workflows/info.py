"""What a file or a run is, and what of it is damaged or missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.image_paths import IMAGE_FILE
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.io.mrc_header import read_header
from napari_cryodrgn.io.pickles import (
    load_pickle,
    read_array,
    read_ctf,
    read_indices,
    read_latents,
    read_poses,
)
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.workflows.analysis_files import CENTERS_IND, read_positions
from napari_cryodrgn.workflows.info_run import describe_config, describe_run
from napari_cryodrgn.workflows.z_values import read_z_values

_ARCHIVE = b"PK\x03\x04"
SHOWN_KEYS = 10
"""Most names of a table of anything else that are shown."""


@dataclass(frozen=True)
class Description:
    """What something is.

    Parameters
    ----------
    lines : tuple of str
        What it is, for people.
    faults : tuple of str
        What of it is damaged, or there and cannot be used.
    missing : tuple of str
        What it names that is not there.
    usable : bool
        Whether it serves without what is missing, as a run does.
    """

    lines: tuple[str, ...]
    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    usable: bool = True

    @property
    def text(self) -> str:
        """All of it, the verdict last."""
        parts = [f"damaged: {fault}" for fault in self.faults]
        parts += [f"missing: {missing}" for missing in self.missing]
        return "\n".join([*self.lines, *parts, self.verdict])

    @property
    def verdict(self) -> str:
        """In one sentence, what is damaged and what missing."""
        gone = len(self.missing)
        missing = f"{gone} {'thing is' if gone == 1 else 'things are'} missing"
        count = len(self.faults)
        if not count:
            return f"Nothing is damaged; {missing}" if gone else "Nothing is damaged"
        damaged = f"{count} {'thing is' if count == 1 else 'things are'} damaged"
        return f"{damaged}, and {missing}" if gone else damaged

    @property
    def failed(self) -> bool:
        """Whether it cannot be used as it is."""
        return bool(self.faults) or not self.usable


def describe(path: str | Path) -> str:
    """What a file or a run is, and what of it is damaged or missing, in words.

    Parameters
    ----------
    path : path-like
        A run folder, or any file that this package reads.

    Returns
    -------
    str

    Raises
    ------
    InputError
        Where there is nothing, or nothing that can be read at all.
    """
    return inspect_path(path).text


def inspect_path(path: str | Path) -> Description:
    """What a file or a run is, with its faults apart; see `describe`."""
    path = Path(path).expanduser().absolute()
    if path.is_dir():
        lines, faults, missing = describe_run(path)
        return Description(tuple(lines), tuple(faults), tuple(missing))
    if not path.is_file():
        raise InputError("there is no such file or folder", file=path)
    describers: dict[str, Callable[[Path], Description]] = {
        ".mrc": _mrc,
        ".mrcs": _mrc,
        ".map": _mrc,
        ".star": _particles,
        ".cs": _particles,
        ".txt": _text,
        ".pkl": _pickle,
        ".yaml": _config,
        ".yml": _config,
    }
    if path.suffix.lower() not in describers:
        raise InputError(
            "nothing is known of files with this ending",
            file=path,
            field="ending",
            value=path.suffix or "none",
            hint=f"Known are {', '.join(describers)} and run folders",
        )
    return describers[path.suffix.lower()](path)


def _mrc(path: Path) -> Description:
    header = read_header(path)
    sections, rows, columns = header.shape
    size = "pixel size not given"
    if header.pixel_size is not None:
        x, y, z = header.pixel_size
        size = f"{x:g} Å/px" if x == y else f"{x:g} x {y:g} x {z:g} Å/px"
    # Old programs mark volumes as stacks and stacks as volumes; the shape says more.
    if path.suffix.lower() == ".mrcs" or columns == rows != sections:
        what = f"image stack: {sections} images of {columns} x {rows} px"
    else:
        what = f"volume: {columns} x {rows} x {sections} voxels"
    return Description((f"{what}, {header.dtype.name}, {size}",))


def _particles(path: Path) -> Description:
    table = read_table(path)
    kind = {"star": "RELION particle table", "cs": "cryoSPARC particle table"}.get(
        table.source.kind, "list of image stacks"
    )
    first = f"{kind}: {table.source.n_rows} particles"
    if table.tilt_series is not None:
        return Description((first, f"tilt series: {table.tilt_series}"))
    try:
        particles = read_particles(path)
    except InputError as error:
        columns = ", ".join(map(str, table.metadata.columns))
        lines = (first, f"columns: {columns}")
        if error.field == IMAGE_FILE:
            return Description(lines, missing=(str(error),), usable=False)
        return Description(lines, (str(error),))
    return Description((first, *_particle_lines(particles)))


def _particle_lines(particles: Particles) -> list[str]:
    size = particles.pixel_size
    lines = [
        f"images: {particles.box} x {particles.box} px, "
        + ("pixel size not given" if size is None else f"{size:g} Å/px"),
        "poses: " + ("none" if particles.poses is None else "yes"),
    ]
    if particles.ctf is None:
        lines.append("CTF: none")
    else:
        defocus = particles.ctf.column("defocus_u")
        lines.append(f"CTF: defocus {defocus.min():.0f} to {defocus.max():.0f} Å")
    lines.append(f"columns: {', '.join(map(str, particles.metadata.columns))}")
    return lines


def _text(path: Path) -> Description:
    """A list of stacks, row numbers, or latent points."""
    if path.name == CENTERS_IND:
        positions = read_positions(path)
        return Description((f"representatives of {len(positions)} clusters, by their positions",))
    try:
        z = read_z_values(path)
    except InputError:
        return _particles(path)
    return Description((f"latent points: {len(z)}, latent dimensions: {z.shape[1]}",))


def _config(path: Path) -> Description:
    return Description((describe_config(read_run_config(path)),))


def _pickle(path: Path) -> Description:
    with path.open("rb") as file:
        is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE
    if is_archive:
        return _checkpoint(path)
    content = load_pickle(path)
    if isinstance(content, dict) and "model_state_dict" in content:
        return _checkpoint(path)
    if isinstance(content, tuple) or np.ndim(content) == 3:
        poses = read_poses(path)
        shifted = "with shifts" if poses.shifts.any() else "without shifts"
        return Description((f"poses: {len(poses)} particles, {shifted}",))
    if isinstance(content, dict):
        named = ", ".join(str(key) for key in list(content)[:SHOWN_KEYS])
        return Description((f"table of {len(content)} named values: {named}",))
    array = read_array(path)
    if path.name.startswith("z.") and array.ndim == 2:
        latents = read_latents(path)
        n, zdim = latents.mu.shape
        return Description((f"latents: {n} particles, {zdim} dimensions",))
    return Description((_array_line(path, array),))


def _array_line(path: Path, array: np.ndarray) -> str:
    if array.ndim == 2 and array.shape[1] == 9:
        ctf = read_ctf(path)
        box, size = ctf.table[0, 0], ctf.table[0, 1]
        return f"CTF parameters: {len(ctf)} particles, box {box:g} px, {size:g} Å/px"
    if array.ndim == 1 and array.dtype.kind in "iu" and array.size:
        distinct = len(np.unique(array))
        if distinct < array.size:
            return f"labels: {array.size} particles in {distinct} groups"
        rows = read_indices(path, int(array.max()) + 1)
        return f"indices: {len(rows)} particles, rows {array.min()} to {array.max()}"
    if path.name == "umap.pkl":
        return f"UMAP coordinates: {len(array)} particles"
    return f"array of {array.dtype}: {' x '.join(map(str, array.shape))}"


def _checkpoint(path: Path) -> Description:
    # torch is imported only where a checkpoint is looked at.
    from napari_cryodrgn.model.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(path)
    count = sum(tensor.numel() for tensor in checkpoint.model_state.values())
    return Description(
        (
            f"checkpoint: epoch {checkpoint.epoch}, {count} parameters in "
            f"{len(checkpoint.model_state)} tensors",
            "state of the optimiser: " + ("yes" if checkpoint.optimizer_state else "no"),
        )
    )
