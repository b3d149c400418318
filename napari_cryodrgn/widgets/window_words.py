"""Error messages in the words of the window instead of those of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.widgets.advice import advice_for, advised

LONG_MESSAGE = 240
"""Characters above which a message is cut down to what matters; the rest is a detail."""

LONG_VALUE = 60


def input_message(error: InputError) -> tuple[str, str]:
    """What to tell a person at the window of an error, and its details.

    Parameters
    ----------
    error : InputError

    Returns
    -------
    (str, str)
        The message, with settings named as in the window, and the whole of it
        where it had to be cut; "" where it had not.
    """
    hint = in_window_words(error.hint or advice_for(error.problem))
    whole = in_window_words(str(error))
    if len(whole) <= LONG_MESSAGE:
        text = whole if error.hint is None else whole.removesuffix(f". {hint}")
        return advised(text, hint), ""
    # Places that were looked at are listed after the problem itself.
    problem = error.problem.partition("; tried ")[0]
    where = [] if error.file is None else [error.file.name]
    if error.field is not None:
        shown = "" if error.value is None else f" = {_shortened(str(error.value))}"
        where.append(f"{error.field}{shown}")
    short = ": ".join([*where, problem])
    return advised(in_window_words(short), hint), whole


def in_window_words(text: str) -> str:
    """A text in which options of the command line have the titles of the forms' fields."""
    titles = dict(_titles())
    return re.sub(
        r"(?<![\w-])--?[a-z][a-z-]*\b",
        lambda match: f"“{titles[match[0]]}”" if match[0] in titles else match[0],
        text,
    )


def _titles() -> Iterator[tuple[str, str]]:
    for field in TrainingConfig.model_fields.values():
        extra = field.json_schema_extra
        names = extra.get("names") if isinstance(extra, dict) else None
        for name in names if isinstance(names, list) else []:
            for option in str(name).split("/"):
                yield option, str(field.title)


def _shortened(value: str) -> str:
    """The end of a long value: of a path, its file."""
    return value if len(value) <= LONG_VALUE else f"…{value[-LONG_VALUE:]}"
