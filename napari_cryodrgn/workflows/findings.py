"""What was found of a run, and what was not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.image_paths import IMAGE_FILE
from napari_cryodrgn.particles import ParticleRows, Particles

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Problem:
    """Something that a run lacks, and where it was looked for.

    Parameters
    ----------
    what : str
        What is missing or unusable, and what that means, as one sentence.
    tried : tuple of str
        Every place that was looked at.
    unusable : bool
        Whether something is there that cannot be used, rather than missing.
    """

    what: str
    tried: tuple[str, ...] = ()
    unusable: bool = False

    def __str__(self) -> str:
        return self.what if not self.tried else f"{self.what}; looked for {'; '.join(self.tried)}"


@dataclass(eq=False)
class RunInputs:
    """What was found of a run's particles; filled while they are looked for.

    Parameters
    ----------
    files : dict of str to Path
        Files of the configuration, by option name, where they were found.
    rows : ParticleRows or None
        Which particles of the source table the run has.
    particles : Particles or None
        The particles themselves, where table and images are there.
    metadata : DataFrame or None
        Their columns, N rows; without images too.
    pixel_size : float or None
        Å per pixel of the training images.
    problems : list of Problem
        What is missing.
    """

    files: dict[str, Path] = field(default_factory=dict)
    rows: ParticleRows | None = None
    particles: Particles | None = None
    metadata: pd.DataFrame | None = None
    pixel_size: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def attempt(
        self,
        what: str,
        function: Callable[Given, Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result | None:
        """Call a function; where it finds bad input, note that as a problem and return None."""
        try:
            return function(*args, **kwargs)
        except InputError as error:
            # A table whose image files are elsewhere is sound itself.
            unusable = error.field != IMAGE_FILE
            self.problems.append(Problem(f"{what}: {error}", unusable=unusable))
            return None
