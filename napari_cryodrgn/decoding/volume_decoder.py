"""A model made ready to decode many volumes: prepared layers, kept first layer, own threads."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.decoding.evaluation_points import half_ball, masked_planes, whole_cube
from napari_cryodrgn.decoding.first_layer_cache import FirstLayerCache, default_cache_bytes
from napari_cryodrgn.decoding.network import Network, Precision
from napari_cryodrgn.errors import Cancelled
from napari_cryodrgn.imaging.hartley import inverse_hartley_3d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.model.decoder import Decoder
from napari_cryodrgn.model.loaded import LoadedModel

# Memory that the activations of one chunk of points may take.
MAX_BYTES = 256 * 2**20

# Arithmetic of one chunk on a CPU: 10 to 30 ms of one core, so that a decode can be
# cancelled quickly, and activations that stay in its cache.
CPU_CHUNK_FLOP = 2e9

# Chunks that a GPU may have waiting: more would not be cancelled quickly.
_GPU_AHEAD = 4

# Up to this box a volume's Fourier transform takes one thread some 15 ms, less than several
# wait for each other where cores are busy.
_ONE_THREAD_BOX = 128

Cancelling = Callable[[], bool]


class VolumeDecoder:
    """Decodes latent points of one model, quickly from the second volume on.

    On a CPU each of several threads evaluates its own chunks of points: none waits for
    another within a layer, as PyTorch's own threads do, so that a core which is busy with
    something else delays nothing but its chunk.

    Parameters
    ----------
    model : LoadedModel
        Evaluated on the device where it is. Later changes of its weights have no effect.
    cache_bytes : int, optional
        Bound on the memory of the kept first layer; a share of what is free if not given,
        0 to keep nothing.
    max_bytes : int
        Bound on the memory that the activations of a chunk take.
    threads : int, optional
        CPU threads; as many as PyTorch uses if not given.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        cache_bytes: int | None = None,
        max_bytes: int = MAX_BYTES,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.cache = FirstLayerCache(default_cache_bytes() if cache_bytes is None else cache_bytes)
        self._device = model.vae.device
        self._step = chunk_size(model.vae.decoder, self._device, max_bytes)
        self._networks: dict[Precision, Network] = {}
        wanted = threads or torch.get_num_threads()
        self._threads = wanted if self._device.type == "cpu" else 1
        self._pool = _pool_of_single_threads(self._threads) if self._threads > 1 else None

    def decode(
        self,
        z: npt.NDArray[np.float32] | None,
        box: int,
        *,
        precision: Precision = "single",
        cancelled: Cancelling | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode one latent point, (box, box, box), as `volume.decode_volume` describes it.

        Parameters
        ----------
        z : (zdim,) float32 array or None
            Checked before.
        box : int
            Checked before.
        precision : {"single", "half"}
            Half for what is looked at only, and only where the device has it.
        cancelled : callable, optional
            Asked between chunks, on any of the threads.

        Raises
        ------
        Cancelled
            Where `cancelled` said so.
        """
        with torch.inference_mode():
            values = self._values(z, box, precision, cancelled)
        if self._pool is None or box > _ONE_THREAD_BOX:
            return self._volume(values, box)
        return self._pool.submit(self._volume, values, box).result()

    def close(self) -> None:
        """End the threads and let go of what is kept."""
        self.cache.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _values(
        self,
        z: npt.NDArray[np.float32] | None,
        box: int,
        precision: Precision,
        cancelled: Cancelling | None,
    ) -> torch.Tensor:
        """The network's values (P, n_out) at the points of a box."""
        index, _ = self._points(box)
        if precision not in self._networks:
            self._networks[precision] = Network(self.model.vae.decoder, precision)
        network = self._networks[precision]
        latent = None if z is None else torch.from_numpy(z).to(self._device)
        offset = network.offset(latent)
        index = index.to(self._device)
        axis = Lattice(box, 0.5 * box / self.model.box, self._device).axis
        starts = range(0, len(index), self._step)
        parts: list[torch.Tensor | None] = [None] * len(starts)

        def evaluate(number: int) -> None:
            hidden = self.cache.get(box, number)
            if hidden is None:
                chosen = index[starts[number] : starts[number] + self._step]
                hidden = network.hidden(_coordinates(chosen, axis))
                self.cache.put(box, number, hidden)
            parts[number] = network.output(hidden, offset)

        self._run(evaluate, len(starts), cancelled)
        return torch.cat([part for part in parts if part is not None])

    def _volume(self, values: torch.Tensor, box: int) -> npt.NDArray[np.float32]:
        """The volume (box, box, box) whose transform has these values."""
        index, n_mirrored = self._points(box)
        total = (box + 1) ** 3
        with torch.inference_mode():
            index = index.to(self._device)
            transform = torch.zeros(total, device=self._device)
            if self.model.vae.decoder.domain == "hartley":
                transform[index] = values[:, 0]
            else:
                transform[index] = values[:, 0] - values[:, 1]
                mirrored = total - 1 - index[:n_mirrored]
                transform[mirrored] = (values[:, 0] + values[:, 1])[:n_mirrored]
            transform = transform.reshape((box + 1,) * 3)[:-1, :-1, :-1]
            mean, deviation = self.model.norm
            volume = inverse_hartley_3d(transform * deviation + mean)
            return np.ascontiguousarray(volume.cpu().numpy())

    def _points(self, box: int) -> tuple[torch.Tensor, int]:
        """Flat indices of the lattice points to evaluate; how many of them are mirrored too."""
        model = self.model
        if model.mask_radius is not None:
            return masked_planes(model.box, box, model.mask_radius), 0
        decoder = model.vae.decoder
        if decoder.domain == "fourier":
            return half_ball(model.box, box, encoded=decoder.pe_type != "none")
        return whole_cube(box), 0

    def _run(
        self, evaluate: Callable[[int], None], count: int, cancelled: Cancelling | None
    ) -> None:
        """Evaluate all chunks, each thread taking the next one that is left."""
        numbers = itertools.count()
        stop = threading.Event()

        def work() -> None:
            try:
                with torch.inference_mode():
                    while not stop.is_set() and (number := next(numbers)) < count:
                        if cancelled is not None and cancelled():
                            raise Cancelled
                        evaluate(number)
                        if self._device.type == "cuda" and number % _GPU_AHEAD == 0:
                            torch.cuda.current_stream().synchronize()
            except BaseException:
                stop.set()
                raise

        if self._pool is None:
            work()
            return
        for future in [self._pool.submit(work) for _ in range(min(self._threads, count))]:
            future.result()


def chunk_size(decoder: Decoder, device: torch.device, max_bytes: int) -> int:
    """Points that are evaluated at a time.

    Parameters
    ----------
    decoder : Decoder
    device : torch.device
    max_bytes : int
        Bound on the memory of their activations.
    """
    n_in, width = decoder.decoder.n_in, decoder.decoder.width
    layers = decoder.decoder.layers
    # Phases, sines and cosines; hidden values before and after a layer, and their sum.
    by_memory = max_bytes // (4 * (2 * n_in + 3 * width + 8))
    if device.type != "cpu":
        return max(1, by_memory)
    flop = 2 * (n_in * width + layers * width * width + 2 * width)
    return max(1, min(by_memory, int(CPU_CHUNK_FLOP / flop)))


def _coordinates(index: torch.Tensor, axis: torch.Tensor) -> torch.Tensor:
    """Frequencies (P, 3), x y z, of flat indices of a cubic lattice."""
    side = len(axis)
    return torch.stack(
        (axis[index % side], axis[index // side % side], axis[index // side**2]), dim=-1
    )


def _pool_of_single_threads(count: int) -> ThreadPoolExecutor:
    """Threads in which PyTorch itself uses no others."""
    before = torch.get_num_threads()
    started = threading.Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # PyTorch's own setting of a new thread, which the next replaces
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, thread_name_prefix="decoder-chunks", initializer=begin)
    for _ in range(count):
        pool.submit(lambda: None)
    started.wait()
    # The setting is each thread's own, but also what later threads begin with.
    torch.set_num_threads(before)
    return pool
