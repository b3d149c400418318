"""Bare image stacks, and text files that list stacks one a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.io.image_paths import find_files
from napari_cryodrgn.io.mrc_header import read_headers
from napari_cryodrgn.io.particle_table import ImageReferences
from napari_cryodrgn.particles import CTFParameters, Poses, SourceKind, SourceTable

MOST_IMAGES = 100_000_000
"""Images of all stacks of a list: ten times the largest sets that there are."""

LARGEST = 64 << 20
"""Bytes of a list of stacks: half a million of them."""

LONGEST_SHOWN = 60
"""Most of a line that an error message shows, characters."""


@dataclass(frozen=True, eq=False)
class StackTable:
    """Images of one or more stacks without a table; see `particle_table.ParticleTable`.

    Parameters
    ----------
    source : SourceTable
        Path, kind, number of images, fingerprint.
    references : ImageReferences
        The images in order.
    """

    source: SourceTable
    references: ImageReferences

    @property
    def metadata(self) -> pd.DataFrame:
        """Which image of which stack each one is."""
        files = np.array(self.references.files, dtype=object)[self.references.file_numbers]
        return pd.DataFrame({"stack": files, "image_number": self.references.sections + 1})

    @property
    def box(self) -> int | None:
        """None: only the images say."""
        return None

    @property
    def pixel_size(self) -> float | None:
        """None: only the images say."""
        return None

    @property
    def tilt_series(self) -> str | None:
        """None: nothing says so."""
        return None

    def poses(self, box: int) -> Poses | None:
        """None: stacks have no poses."""
        return None

    def ctf(
        self, box: int, pixel_size: float | None, defaults: Mapping[str, float]
    ) -> CTFParameters | None:
        """None: stacks have no CTF parameters."""
        return None


def read_stack_table(path: str | Path) -> StackTable:
    """All images of one ``.mrcs`` or ``.mrc`` file.

    Raises
    ------
    InputError
        Where the file is missing or no MRC file.
    """
    path = Path(path).absolute()
    return _of_stacks(path, "mrcs", [path.name], [path])


def read_txt(path: str | Path, datadir: str | Path | None = None) -> StackTable:
    """All images of the stacks that a text file lists, one a line; empty lines are skipped.

    Parameters
    ----------
    path : path-like
        The list; paths in it are looked for as `image_paths.find_files` says.
    datadir : path-like, optional
        Folder in which to look first.

    Raises
    ------
    InputError
        Where the list is missing, empty, no text, or names a stack that cannot be used.
    """
    path = Path(path).absolute()
    lines = read_text(path, LARGEST).splitlines()
    stacks = [line.strip() for line in lines if line.strip()]
    if not stacks:
        raise InputError("it lists no image stack", file=path)
    for stack in stacks:
        if not stack.lower().endswith((".mrcs", ".mrc")):
            raise InputError(
                "this names no image stack (.mrcs or .mrc), of which the file should be a list",
                file=path,
                field="line",
                value=stack if len(stack) <= LONGEST_SHOWN else f"{stack[:LONGEST_SHOWN]} …",
            )
    return _of_stacks(path, "txt", stacks, find_files(tuple(stacks), path, datadir))


def _of_stacks(path: Path, kind: SourceKind, written: list[str], found: list[Path]) -> StackTable:
    depths = [header.shape[0] for header in read_headers(found)]
    if sum(depths) > MOST_IMAGES:
        raise InputError(f"it lists more than {MOST_IMAGES:,} images", file=path)
    references = ImageReferences(
        tuple(written),
        np.repeat(np.arange(len(found), dtype=np.int64), depths),
        np.concatenate([np.arange(depth, dtype=np.int64) for depth in depths]),
    )
    source = SourceTable(path, kind, len(references), references.fingerprint())
    return StackTable(source, references)
