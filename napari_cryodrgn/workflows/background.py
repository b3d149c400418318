"""A blocking call made part of a long task."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from napari_cryodrgn.progress import Progress, Task

Result = TypeVar("Result")

REPORT_SECONDS = 0.1


def in_thread(function: Callable[[], Result], report: Progress) -> Task[Result]:
    """Call a function in a thread of its own, and report until it returns.

    For calls that cannot be cut into pieces, such as parsing a large table. Where
    the task is closed meanwhile the call goes on to its end, and its result is
    dropped; so it must not write anything.

    Parameters
    ----------
    function : callable
        Called without arguments.
    report : Progress
        Yielded about every 0.1 s.

    Returns
    -------
    object
        What the function returned; what it raised is raised here.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below, whatever it is
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while True:
        thread.join(REPORT_SECONDS)
        if not thread.is_alive():
            break
        yield report
    if errors:
        raise errors[0]
    return results[0]
