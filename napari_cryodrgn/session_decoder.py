"""The decoder of a session's run: what is needed of it, and the one that is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.records import (
    DecodedVolume,
    DecodeFailure,
    RungName,
    SurrogateRecord,
)
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.torch_guard import keep_triton_out

if TYPE_CHECKING:
    from napari_cryodrgn.decoding.engine import DecodeEngine
    from napari_cryodrgn.model.loaded import LoadedModel
    from napari_cryodrgn.workflows.open_run import OpenRun


class Decoder(Protocol):
    """What is needed of ``decoding.engine.DecodeEngine``."""

    def request(
        self,
        z: npt.NDArray[np.float32],
        tag: object = None,
        *,
        box: int | None = None,
        rungs: Sequence[RungName] = ("exact",),
        patience: float = 0.0,
    ) -> None:
        """Decode this next, rung by rung; the results carry the tag.

        After a surrogate a newer request is awaited for `patience` seconds.
        """

    def seed_states(self, z_values: npt.ArrayLike) -> None:
        """States to decode for the surrogate while nothing is asked for."""

    @property
    def surrogate(self) -> SurrogateRecord | None:
        """What the surrogate is made of."""

    def close(self) -> None:
        """Stop, and free the weights."""


MakeDecoder = Callable[["OpenRun", Callable[[DecodedVolume | DecodeFailure], None]], Decoder]


def decode_engine(
    run: OpenRun, take: Callable[[DecodedVolume | DecodeFailure], None]
) -> DecodeEngine:
    """The resident decoder of a run's epoch; weights and torch are loaded on its thread."""
    from napari_cryodrgn.decoding.engine import DecodeEngine

    def load() -> LoadedModel:
        keep_triton_out()  # before the first import of torch
        from napari_cryodrgn.model.checkpoint import load_model_files
        from napari_cryodrgn.training.device import choose_device

        if run.weights is None:
            raise InputError(missing_weights_text(run))
        return load_model_files(
            run.weights, run.folder.config, choose_device("auto"), epoch=run.epoch
        )

    engine = DecodeEngine(load, run.pixel_size)
    engine.subscribe(take)
    return engine


def relative_error(guess: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]) -> float | None:
    """How far a surrogate was off, |guess - exact| / |exact|, at the guess's resolution.

    Parameters
    ----------
    guess : (box, box, box) float32 array
    exact : (full_box, full_box, full_box) float32 array

    Returns
    -------
    float or None
        None where the exact volume is the smaller one, or empty.
    """
    if guess.shape[-1] > exact.shape[-1]:
        return None
    if guess.shape[-1] < exact.shape[-1]:
        from napari_cryodrgn.decoding.grey_scale import at_smaller_box

        exact = at_smaller_box(exact, guess.shape[-1])
    size = float(np.linalg.norm(exact))
    return float(np.linalg.norm(guess - exact)) / size if size > 0 else None


def missing_weights_text(run: OpenRun) -> str:
    """Which file is missing for decoding, and where it was looked for."""
    if run.config is None:
        missing, looked = "a usable config.yaml", run.folder.path
    else:
        file = run.folder.weights(run.epoch)
        missing, looked = file.name, file.parent
    return f"Nothing can be decoded: {missing} is not there. Looked in {looked}"
