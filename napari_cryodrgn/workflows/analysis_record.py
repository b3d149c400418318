"""What an analysis was made from: so that nothing stale is taken for new.

One JSON object for each epoch in our own subfolder of the run, which cryoDRGN
ignores. A piece that it does not name was made by cryoDRGN, and is taken for
what it seems to be.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_json
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.volume_files import make_folder

Piece = dict[str, Any]


class AnalysisRecord:
    """The record of one epoch's analysis.

    Parameters
    ----------
    run : RunFolder
    epoch : int
    """

    def __init__(self, run: RunFolder, epoch: int) -> None:
        self._path = run.own / f"analyze.{epoch}.json"
        self._pieces = _read(self._path)

    def of(self, piece: str) -> Piece | None:
        """What a piece (``umap``, ``kmeans20``, ``pc1``) was made from; None where unknown."""
        return self._pieces.get(piece)

    def note(self, piece: str, made_from: Piece) -> None:
        """Write down what a piece is made from.

        Raises
        ------
        InputError
            Where it cannot be written.
        """
        if self._pieces.get(piece) == made_from:
            return
        self._pieces[piece] = made_from
        make_folder(self._path.parent)
        write_text(self._path, json.dumps(self._pieces, indent=2, sort_keys=True) + "\n")


def digest(path: Path) -> str:
    """Digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> dict[str, Piece]:
    """The record; an empty one where it is missing or damaged, for it can be made again."""
    try:
        content = read_json(path)
    except InputError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: piece for name, piece in content.items() if isinstance(piece, dict)}
