"""Finding the files of a run that was moved.

cryoDRGN writes absolute paths into ``config.yaml``: of another computer,
another disk, or Windows. A file is looked for where it was, then under the
run folder and the folders above it, by as much of the end of its path as fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from napari_cryodrgn.io.checks import is_file, is_folder

_LEVELS_ABOVE = 3
_LONGEST_ENDING = 4


@dataclass(frozen=True)
class FileSearch:
    """Outcome of looking for a file.

    Parameters
    ----------
    path : Path or None
        Where it is; None where it is nowhere.
    certain : bool
        Whether it is where the run says, or in the run folder itself. One that
        was found elsewhere may belong to another run, and is to be checked.
    tried : tuple of str
        Every place that was looked at, in words.
    """

    path: Path | None
    certain: bool
    tried: tuple[str, ...]


def find_moved(written: str, run_folder: Path, *, folder: bool = False) -> FileSearch:
    """Look for a file (or folder) that a run names.

    Parameters
    ----------
    written : str
        Its path as the run has it, of whatever operating system.
    run_folder : Path
        The run's folder.
    folder : bool
        Look for a folder instead of a file.

    Returns
    -------
    FileSearch
    """

    def is_there(place: Path) -> bool:
        return is_folder(place) if folder else is_file(place)

    foreign = _foreign(written)
    native = Path(written)
    # A path of another system is named as written, though it cannot be here.
    if isinstance(native, type(foreign)) and is_there(native):
        return FileSearch(native, True, (written,))
    names = [part for part in foreign.parts if part not in (foreign.anchor, "..", ".")]
    endings = [
        PurePath(*names[-length:]) for length in range(min(len(names), _LONGEST_ENDING), 0, -1)
    ]
    above = [run_folder, *run_folder.parents][: _LEVELS_ABOVE + 1]
    bases = [base for base in above if base != base.parent]
    for ending in endings:
        for base in bases:
            if is_there(base / ending):
                return FileSearch(base / ending, base == run_folder, (written,))
    places = f"{' or '.join(map(str, endings))} under {', '.join(map(str, bases))}"
    return FileSearch(None, False, (written, places))


def base_name(written: str) -> str:
    """Last part of a path, in whichever notation it is written."""
    return _foreign(written).name


def _foreign(written: str) -> PurePath:
    """The path in the notation it is written in."""
    windows = PureWindowsPath(written)
    return windows if windows.drive or "\\" in written else PurePosixPath(written)
