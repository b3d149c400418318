"""Which latent points the command line asks for: numbers, a file, or particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import typer

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.run import RunFolder


@dataclass(frozen=True)
class LatentPoints:
    """A choice of latent points, in at most one of three ways.

    Parameters
    ----------
    numbers : tuple of float
        Coordinates of one or several points, one after another.
    file : Path or None
        Text file with a point in each line.
    particles : tuple of int
        Rows of the particle file.
    """

    numbers: tuple[float, ...] = ()
    file: Path | None = None
    particles: tuple[int, ...] = ()

    @classmethod
    def chosen(
        cls, z: list[float] | None, zfile: Path | None, particles: list[int] | None
    ) -> LatentPoints:
        """The choice that options make.

        Raises
        ------
        typer.BadParameter
            Where they make more than one.
        """
        points = cls(tuple(z or ()), zfile, tuple(particles or ()))
        if sum(map(bool, (points.numbers, points.file, points.particles))) > 1:
            raise typer.BadParameter("give only one of -z, --zfile and --particles")
        return points

    def epoch_of_weights(self, run: RunFolder, epoch: int | None) -> int | None:
        """The epoch to decode with; None for the weights of a run that numbers none."""
        epochs = run.weight_epochs()
        if epoch is None and not epochs and run.weights().is_file():
            return None
        return run.epoch_or_latest(epoch, epochs, "weights")

    def values(self, run: RunFolder, epoch: int | None) -> npt.NDArray[np.float32] | None:
        """The latent points, (n, zdim); None where none were asked for.

        Raises
        ------
        InputError
            Where they do not fit the run.
        """
        zdim = read_run_config(run.config).model.zdim
        if self.file is not None:
            from napari_cryodrgn.workflows.z_values import read_z_values

            return read_z_values(self.file, zdim or None)
        if self.particles:
            from napari_cryodrgn.workflows.decode import z_of_particles

            return z_of_particles(run, epoch, list(self.particles))
        if not self.numbers:
            return None
        if zdim and len(self.numbers) % zdim:
            raise InputError(
                f"a latent point of this run has {zdim} numbers; {len(self.numbers)} were given",
                field="-z",
                value=" ".join(f"{number:g}" for number in self.numbers),
            )
        if not (np.abs(self.numbers) <= np.finfo(np.float32).max).all():
            raise InputError(
                "a latent point has finite numbers",
                field="-z",
                value=" ".join(f"{number:g}" for number in self.numbers),
            )
        return np.array(self.numbers, dtype=np.float32).reshape(-1, zdim or len(self.numbers))
