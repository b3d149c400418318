"""The errors that a user can cause, each with one clear message.

Everything a user can get wrong raises `InputError`; the command line prints
its message and exits with status 1, a window shows it. Any other exception is
a fault of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
from pathlib import Path

LONGEST_VALUE, LONGEST_PROBLEM = 300, 3000
"""Characters of a field's name or value, and of a problem, that a message shows: a damaged file may
hold a word of a million."""


class InputError(ValueError):
    """Something given by the user cannot be used.

    Parameters
    ----------
    problem : str
        What is wrong, as a sentence without a final stop.
    file : path-like, optional
        The file it was found in.
    field : str, optional
        The column, key or option it concerns.
    value : object, optional
        The offending value.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        field: str | None = None,
        value: object | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else Path(file)
        self.field = field
        self.value = value
        self.hint = hint
        super().__init__(self._message())

    def _message(self) -> str:
        where = [str(self.file)] if self.file is not None else []
        if self.field is not None:
            shown = "" if self.value is None else f" = {_shown(self.value)}"
            where.append(f"{_shown(self.field)}{shown}")
        elif self.value is not None:
            where.append(_shown(self.value))
        text = ": ".join([*where, _shortened(self.problem, LONGEST_PROBLEM)])
        return text if self.hint is None else f"{text}. {self.hint}"


def _shown(value: object) -> str:
    """A name or value from a file, as much of it as fits a message of one line."""
    return _shortened(str(value), LONGEST_VALUE)


def _shortened(text: str, longest: int) -> str:
    if len(text) > longest:
        text = f"{text[: longest - 2]} …"
    words = " ".join(line.strip() for line in text.splitlines())
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def is_full_memory(error: BaseException) -> bool:
    """Whether an error says that no memory is left, of a GPU or of the computer.

    PyTorch has a class for a GPU's memory only; of the computer's its errors tell in words.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(part in str(error).lower() for part in words)


def full_memory(
    error: BaseException,
    hint: str,
    *,
    kept: str = "nothing was lost",
    field: str | None = None,
    value: object | None = None,
) -> InputError:
    """What to tell of an error for which `is_full_memory` holds.

    Parameters
    ----------
    error : BaseException
    hint : str
        What to lower.
    kept : str, optional
        What is left of the work.
    field, value : optional
        The option that takes the memory.
    """
    of_gpu = type(error).__name__ == "OutOfMemoryError" or "cuda" in str(error).lower()
    whose = "GPU" if of_gpu else "computer"
    return InputError(f"the {whose}'s memory is full; {kept}", field=field, value=value, hint=hint)


LOWER_MEMORY = "Choose a smaller box, batch or network, or close what else needs memory"
"""What to do where it is not known what takes the memory."""


_SYSTEM_HINTS = {
    errno.ENOSPC: "Free some space on this disk, or choose a folder on another one",
    errno.EDQUOT: "Your quota on this disk is used up: free some space, or choose another disk",
    errno.EACCES: "Choose a folder or file that you may use, or have its permissions changed",
    errno.EROFS: "This disk takes no files: choose a folder on another one",
    errno.ENOENT: "See whether it was moved, renamed or deleted",
    errno.EIO: "The disk or the network drive does not answer: see whether it is still there",
    errno.ESTALE: "The network drive was taken away and came back: open the run again",
}


def system_problem(error: OSError) -> InputError:
    """What to tell of a refusal of the system's that was met where none was looked for."""
    hint = _SYSTEM_HINTS.get(error.errno or 0)
    return InputError(error.strerror or str(error), file=error.filename, hint=hint)


class Cancelled(Exception):  # noqa: N818 - a request of the user, not an error
    """A long task was stopped on request; nothing half-written is left."""
