"""Junk found from a few examples: some good particles and some bad, all others are scored.

A Gaussian process (Rasmussen and Williams 2006, chapter 3) on what `classifier_features`
gives: with twenty examples of each it draws smooth borders, and far from all examples its
score stays at one half, so that what it does not know shows up as borderline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Stopwatch, Task

SCORE_COLUMN = "junk_score"
LEAST_EXAMPLES = 3
# The fit takes the cube of their number; more of a lasso say no more.
_MOST_EXAMPLES = 400
_CHUNK = 20_000
_SEED = 0


@dataclass(frozen=True, eq=False)
class JunkScores:
    """How likely each particle is junk.

    Parameters
    ----------
    scores : (N,) float32 array
        0 good, 1 junk, one half unknown.
    n_good, n_bad : int
        Examples that were learnt from.
    """

    scores: npt.NDArray[np.float32]
    n_good: int
    n_bad: int

    def junk(self, threshold: float = 0.5) -> npt.NDArray[np.bool_]:
        """Particles above a threshold, (N,) bool."""
        above: npt.NDArray[np.bool_] = self.scores > threshold
        return above

    def borderline(self, n: int, threshold: float = 0.5) -> npt.NDArray[np.int64]:
        """Positions of the n particles nearest to the threshold, nearest first: look at these."""
        order = np.argsort(np.abs(self.scores - threshold), kind="stable")
        return order[:n].astype(np.int64)


def score_junk(
    features: npt.NDArray[np.float64],
    good: npt.NDArray[np.int64],
    bad: npt.NDArray[np.int64],
) -> Task[JunkScores]:
    """Score all particles by examples.

    Parameters
    ----------
    features : (N, F) float64 array
        Of ``classifier_features``.
    good, bad : (n,) int64 array
        Positions of examples. Of more than 400 each, 400 drawn at random are learnt from.

    Returns
    -------
    JunkScores

    Raises
    ------
    InputError
        Where there are fewer than three examples of one kind, or a particle is both.
    """
    good, bad = np.unique(good), np.unique(bad)
    for name, examples in (("good", good), ("bad", bad)):
        if len(examples) < LEAST_EXAMPLES:
            raise InputError(
                f"at least {LEAST_EXAMPLES} {name} particles are needed",
                field=f"{name} particles",
                value=len(examples),
            )
    both = np.intersect1d(good, bad)
    if both.size:
        raise InputError(
            f"{both.size} particles are marked both good and bad",
            field="particle at position",
            value=int(both[0]),
        )
    yield Progress(0.0, 1.0, "Learning from the examples")
    rng = np.random.default_rng(_SEED)
    good, bad = (
        one if len(one) <= _MOST_EXAMPLES else rng.choice(one, _MOST_EXAMPLES, replace=False)
        for one in (good, bad)
    )
    model = _fitted(features, good, bad)
    scores = np.empty(len(features), np.float32)
    watch = Stopwatch(len(features))
    for begin in range(0, len(features), _CHUNK):
        part = features[begin : begin + _CHUNK]
        scores[begin : begin + _CHUNK] = model.predict_proba(part)[:, 1]
        done = begin + len(part)
        share = done / len(features)
        yield Progress(share, 1.0, "Scoring particles", watch.seconds_left(done))
    return JunkScores(scores, len(good), len(bad))


def _fitted(
    features: npt.NDArray[np.float64], good: npt.NDArray[np.int64], bad: npt.NDArray[np.int64]
) -> Any:
    """A fitted Gaussian process classifier; class 1 is bad."""
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    # Features have unit spread: typical distances are the root of twice their number. A fixed
    # length keeps twenty examples from being over-learnt.
    kernel = ConstantKernel(4.0) * RBF(np.sqrt(features.shape[1]))
    examples = np.concatenate([good, bad])
    classes = np.repeat([0, 1], [len(good), len(bad)])
    return GaussianProcessClassifier(kernel, optimizer=None).fit(features[examples], classes)
