"""Decoded volumes that a surrogate is made of, within a bound on their memory."""

from __future__ import annotations

import logging
import threading

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.surrogate import Surrogate, fewest_points, fit_surrogate

logger = logging.getLogger(__name__)

MAX_BYTES = 192 * 2**20

# Closer than this part of the extent of all, two points are one.
_SAME = 1e-3

# A refit costs as much as many guesses: only when so much more is known.
_GROWTH = 1.08


class SurrogateStore:
    """Keeps decoded volumes of one model, and the surrogate made of them.

    Volumes are taken in on one thread; the surrogate is made on another by `refit_beside`, for it
    takes most of a second and somebody may be dragging. Where the memory is used up the volumes
    that lie closest together make room.

    Parameters
    ----------
    box : int
        Side of the volumes, px.
    zdim : int
        Latent dimensions.
    max_bytes : int
        Bound on the memory of the volumes.
    """

    def __init__(self, box: int, zdim: int, *, max_bytes: int = MAX_BYTES) -> None:
        self.box = box
        self._zdim = zdim
        self._capacity = max(fewest_points(zdim), max_bytes // (4 * box**3))
        self._z: list[npt.NDArray[np.float32]] = []
        self._volumes: list[npt.NDArray[np.float32]] = []
        self._fitted = 0
        self._changes = 0
        self._lock = threading.Lock()
        self._fitter: threading.Thread | None = None
        self.surrogate: Surrogate | None = None

    def __len__(self) -> int:
        return len(self._z)

    @property
    def full(self) -> bool:
        """Whether a new volume takes the place of another."""
        return len(self) >= self._capacity

    @property
    def stale(self) -> bool:
        """Whether so much was learnt since the last fit that another one is worth it."""
        if not self._changes or len(self) < fewest_points(self._zdim):
            return False
        return self.surrogate is None or self._changes >= (_GROWTH - 1) * self._fitted

    def add(self, z: npt.NDArray[np.float32], volume: npt.NDArray[np.float32]) -> bool:
        """Take in a volume (box, box, box) decoded at z; False where it tells nothing new."""
        if not self._zdim:
            return False
        if self._z:
            distances = np.linalg.norm(np.stack(self._z) - z, axis=1)
            if distances.min() <= _SAME * float(distances.max()):
                return False
        with self._lock:
            if self._z and self.full and not self._make_room(float(distances.min())):
                return False
            self._z.append(np.array(z, dtype=np.float32))
            self._volumes.append(np.array(volume, dtype=np.float32))
            self._changes += 1
        return True

    def refit(self) -> None:
        """Make the surrogate anew of all volumes that there are."""
        with self._lock:
            z_values, volumes = list(self._z), list(self._volumes)
            self._fitted, self._changes = len(z_values), 0
        self.surrogate = fit_surrogate(np.stack(z_values), np.stack(volumes))

    def refit_beside(self) -> bool:
        """Begin to make it anew on a thread of its own, if that is worth it; whether it began."""
        if not self.stale or (self._fitter is not None and self._fitter.is_alive()):
            return False
        self._fitter = threading.Thread(target=self._refit_until_fresh, daemon=True)
        self._fitter.start()
        return True

    def _refit_until_fresh(self) -> None:
        try:
            while self.stale:
                self.refit()
        except Exception:
            # The thread's outermost frame; nobody waits for a better surrogate.
            logger.exception("the surrogate cannot be made")

    def _make_room(self, distance: float) -> bool:
        """Drop one of the two volumes closest together, unless the new one is closer to one."""
        points = np.stack(self._z)
        between = np.linalg.norm(points[:, None] - points, axis=2)
        np.fill_diagonal(between, np.inf)
        first, _ = np.unravel_index(int(between.argmin()), between.shape)
        if between.min() >= distance:
            return False
        del self._z[first], self._volumes[first]
        return True
