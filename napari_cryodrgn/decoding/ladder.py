"""The rungs of one model: surrogate, preview, exact. For the engine's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.decoding.grey_scale import at_full_scale, at_smaller_box
from napari_cryodrgn.decoding.network import Precision, has_half_precision
from napari_cryodrgn.decoding.records import DecodedVolume, Rung, RungName, SurrogateRecord
from napari_cryodrgn.decoding.surrogate_store import SurrogateStore
from napari_cryodrgn.decoding.volume import check_box, check_z
from napari_cryodrgn.decoding.volume_decoder import VolumeDecoder
from napari_cryodrgn.errors import is_full_memory
from napari_cryodrgn.model.loaded import LoadedModel

logger = logging.getLogger(__name__)

# Below this box a volume shows nothing, so running out of memory is a failure.
SMALLEST_BOX = 16
SURROGATE_BOX = 64

# Boxes of previews, and the arithmetic that one may take per CPU thread: about 0.15 s at
# 100 GFLOP/s in single precision, four times that speed in half.
PREVIEW_BOXES = (32, 40, 48, 64, 80, 96, 128)
PREVIEW_FLOP = {"single": 15e9, "half": 60e9}

Overtaken = Callable[[], bool]


class Ladder:
    """What one model has to show of a latent point, from the quickest to the best.

    Parameters
    ----------
    model : LoadedModel
        Evaluated where it is.
    pixel_size : float or None
        Å per pixel at its box.
    """

    def __init__(self, model: LoadedModel, pixel_size: float | None) -> None:
        self.model = model
        self._pixel_size = pixel_size
        self._largest_box = model.box
        self._decoder = VolumeDecoder(model)
        half = has_half_precision(model.vae.device)
        self._preview_precision: Precision = "half" if half else "single"
        self.preview_box = preview_box(model, self._preview_precision, torch.get_num_threads())
        self._store = SurrogateStore(min(model.box, SURROGATE_BOX), model.zdim)

    @property
    def surrogate(self) -> SurrogateRecord | None:
        """What the surrogate is made of; None without one."""
        fitted = self._store.surrogate
        return None if fitted is None else fitted.record

    def plan(
        self, z: npt.NDArray[np.float32], box: int | None, rungs: Sequence[RungName]
    ) -> list[RungName]:
        """Which of the rungs asked for there are at a latent point, at a box."""
        side = check_box(self.model, box)
        check_z(self.model, z)
        fitted = self._store.surrogate
        there: list[RungName] = []
        for rung in rungs:
            if rung == "surrogate" and (fitted is None or not fitted.trusts(z)):
                continue
            if rung == "preview" and self.preview_box >= side:
                continue
            there.append(rung)
        return there

    def decode(
        self,
        z: npt.NDArray[np.float32],
        box: int | None,
        rung: RungName,
        overtaken: Overtaken,
    ) -> DecodedVolume:
        """One rung that `plan` has named.

        Raises
        ------
        InputError
            Where z or the box does not fit the model.
        Cancelled
            Where `overtaken` said so.
        """
        started = time.monotonic()
        if rung == "surrogate":
            volume = self._guess(z)
        elif rung == "preview":
            precision = self._preview_precision
            data = self._network(z, self.preview_box, overtaken, precision)
            volume = self._result(data, z, "preview")
        else:
            volume = self._best(z, check_box(self.model, box), overtaken)
        return replace(volume, seconds=time.monotonic() - started)

    def learn(self, z: npt.NDArray[np.float32], volume: npt.NDArray[np.float32]) -> None:
        """Take a volume into the surrogate: on the grey scale of the full box, at any box.

        One that is smaller than the surrogate's is left out.
        """
        if volume.shape[-1] >= self._store.box:
            self._store.add(z, at_smaller_box(volume, self._store.box))

    def seed(self, z: npt.NDArray[np.float32], overtaken: Overtaken) -> None:
        """Decode a volume for the surrogate."""
        check_z(self.model, z)
        self._store.add(z, self._network(z, self._store.box, overtaken))

    def close(self) -> None:
        """End the decoder's threads; after this nothing can be decoded."""
        self._decoder.close()

    def refit(self) -> bool:
        """Begin to make the surrogate anew where enough was learnt; whether that was so."""
        return self._store.refit_beside()

    def _guess(self, z: npt.NDArray[np.float32]) -> DecodedVolume:
        fitted = self._store.surrogate
        if fitted is None:
            raise RuntimeError("there is no surrogate")
        volume = self._result(fitted.volume(z), z, "surrogate")
        return replace(volume, error=fitted.expected_error(z))

    def _best(self, z: npt.NDArray[np.float32], asked: int, overtaken: Overtaken) -> DecodedVolume:
        """The volume at the box asked for, or the largest below for which memory lasts."""
        box = min(asked, self._largest_box)
        while True:
            try:
                data = self._network(z, box, overtaken)
                break
            except (MemoryError, RuntimeError) as error:
                if not is_full_memory(error) or box <= SMALLEST_BOX:
                    raise
                logger.warning("out of memory at a box of %d: %s", box, error)
                box = max(SMALLEST_BOX, box // 4 * 2)
                self._largest_box = box
            _release_memory()
        if box == self.model.box:
            return self._result(data, z, "exact")
        return self._result(data, z, "reduced" if box == asked else "reduced: out of memory")

    def _network(
        self,
        z: npt.NDArray[np.float32],
        box: int,
        overtaken: Overtaken,
        precision: Precision = "single",
    ) -> npt.NDArray[np.float32]:
        point = check_z(self.model, z)
        volume = self._decoder.decode(point, box, precision=precision, cancelled=overtaken)
        return at_full_scale(volume, self.model.box)

    def _result(
        self, data: npt.NDArray[np.float32], z: npt.NDArray[np.float32], rung: Rung
    ) -> DecodedVolume:
        box, full_box = data.shape[-1], self.model.box
        return DecodedVolume(
            data=data,
            pixel_size=None if self._pixel_size is None else self._pixel_size * full_box / box,
            z=z,
            epoch=self.model.epoch,
            box=box,
            rung=rung,
            full_box=full_box,
        )


def preview_box(model: LoadedModel, precision: Precision, threads: int) -> int:
    """Side of previews, px: as large as is quick; the model's own where that is quick itself."""
    if model.vae.device.type != "cpu":
        return model.box
    network = model.vae.decoder.decoder
    flop_per_point = 2 * network.layers * network.width**2
    # Half of a ball's points; a Hartley decoder is evaluated on the whole cube.
    part = np.pi / 12 if model.vae.decoder.domain == "fourier" else 1.0
    budget = PREVIEW_FLOP[precision] * threads
    if flop_per_point * part * model.box**3 <= PREVIEW_FLOP["single"] * threads:
        return model.box
    quick = [
        box for box in PREVIEW_BOXES if box < model.box and flop_per_point * part * box**3 <= budget
    ]
    return min(model.box, max(quick, default=PREVIEW_BOXES[0]))


def _release_memory() -> None:
    """Give memory that PyTorch keeps back to the GPU."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
