"""What to do about a message: the hint it brings, else the row of the documentation's table."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import napari_cryodrgn

PACKAGE = Path(napari_cryodrgn.__file__).parent
PLACES = (PACKAGE / "messages.md", PACKAGE.parent / "docs" / "messages.md")
"""Where the table lies in an installed package, and in a source checkout."""

MARK = "\nWhat to do: "
"""Stands between a message and its advice."""


def advised(message: str, hint: str) -> str:
    """A message with what to do about it, where there is anything to say."""
    return f"{message}{MARK}{hint[0].upper()}{hint[1:]}" if hint else message


def split_advice(text: str) -> tuple[str, str]:
    """A message and its advice, "" where it has none."""
    message, _, hint = text.partition(MARK)
    return message, hint


def advice_for(problem: str) -> str:
    """What the documentation says to do about the problem of an `InputError`; "" for nothing."""
    found = [(len(words), text) for words, pattern, text in _table() if pattern.search(problem)]
    return max(found)[1] if found else ""


@cache
def _table() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """(words, pattern, what to do) of every phrase of ``docs/messages.md``."""
    page = next((place for place in PLACES if place.is_file()), None)
    if page is None:
        return ()
    rows = []
    text = page.read_text(encoding="utf-8")
    for phrases, advice in re.findall(r"^\| (`.*?) \| (.*?) \|$", text, flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1 of the documentation", advice)
        for words in re.findall(r"`([^`]+)`", phrases):
            pattern = re.compile(".*".join(map(re.escape, words.split("…"))))
            rows.append((words, pattern, plain.replace("`", "")))
    return tuple(rows)
