"""Whether an axis, a clustering or a selection follows how particles were imaged.

A latent space should tell structures apart. Where it tells view directions, defocus or
micrographs apart instead, a 'state' may be an artefact of the data. Each pair is judged by the
mutual information of the two, both cut into classes, against the same of shuffled particles:
permutation takes care of class sizes, of the number of classes and of dependence within one of
the two, none of which a table of chi-squared values does for micrographs of ten particles each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import gamma

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.imaging_conditions import Condition
from napari_cryodrgn.progress import Progress, Task

N_SHUFFLES = 60
MOST_PARTICLES = 100_000
"""Particles that are looked at; more of them would find smaller effects, which matter less."""

AXIS_CLASSES = 10
FLAG_PROBABILITY = 1e-4
"""Of the mutual information by chance, before the number of pairs is accounted for."""

FLAG_STRENGTH = 0.02
"""Share of what could be known of the classes; below it an association is too weak to matter."""


@dataclass(frozen=True)
class Association:
    """How far one thing in latent space follows one condition of imaging.

    Parameters
    ----------
    what : str
        The axis, clustering or selection.
    condition : str
        "view direction", "defocus" …
    information : float
        Mutual information, nats.
    by_chance : float
        Mean of the same over shuffled particles, nats.
    strength : float
        What is beyond chance, as a share of the entropy of the coarser of the two: 0 for none,
        1 where the one determines the other.
    probability : float
        Of as much information by chance, by a gamma distribution through mean and variance of
        the shuffled ones, times the number of pairs that were looked at.
    flagged : bool
        Whether it is both beyond chance and strong enough to matter.
    words : str
        What the association consists of, for people; "" where not flagged.
    """

    what: str
    condition: str
    information: float
    by_chance: float
    strength: float
    probability: float
    flagged: bool
    words: str


def find_confounders(
    latent: Mapping[str, npt.NDArray[np.generic]],
    conditions: list[Condition],
    *,
    seed: int = 0,
) -> Task[list[Association]]:
    """Compare everything in latent space with every condition of imaging.

    Parameters
    ----------
    latent : mapping of str to (N,) array
        Axes (floats, which are cut into ten equally full classes), clusterings (integers or
        categories) and selections (bools), by name.
    conditions : list of Condition
        Of the same N particles, see `imaging_conditions`.
    seed : int
        Of the shuffling.

    Returns
    -------
    list of Association
        The strongest first, flagged ones before others.

    Raises
    ------
    InputError
        Where numbers of particles differ.
    """
    lengths = {len(values) for values in latent.values()} | {len(c.codes) for c in conditions}
    if len(lengths) > 1:
        raise InputError("numbers of particles differ", field="confounders", value=sorted(lengths))
    n = lengths.pop() if lengths else 0
    rng = np.random.default_rng(seed)
    sample = np.arange(n)
    if n > MOST_PARTICLES:
        sample = np.sort(rng.choice(n, MOST_PARTICLES, replace=False))
    pairs = [(name, condition) for name in latent for condition in conditions]
    found: list[Association] = []
    for number, (name, condition) in enumerate(pairs):
        yield Progress(number, len(pairs), f"Comparing {name} with {condition.name}")
        classes = _classes(np.asarray(latent[name]))[sample]
        found.append(_associate(name, classes, condition, sample, len(pairs), rng))
    return sorted(found, key=lambda one: (not one.flagged, -one.strength))


def mutual_information(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> float:
    """Mutual information of two labellings, nats; labels count from 0."""
    table = _table(first, second)
    return float(_entropy(table.sum(1)) + _entropy(table.sum(0)) - _entropy(table.ravel()))


def _associate(
    name: str,
    classes: npt.NDArray[np.int64],
    condition: Condition,
    sample: npt.NDArray[np.int64],
    n_pairs: int,
    rng: np.random.Generator,
) -> Association:
    codes = condition.codes[sample]
    there = (codes >= 0) & (classes >= 0)
    classes, codes = _dense(classes[there]), _dense(codes[there])
    if not len(codes) or codes.max() == 0 or classes.max() == 0:
        return Association(name, condition.name, 0.0, 0.0, 0.0, 1.0, flagged=False, words="")
    information = mutual_information(classes, codes)
    shuffled = [mutual_information(rng.permutation(classes), codes) for _ in range(N_SHUFFLES)]
    mean, variance = float(np.mean(shuffled)), float(np.var(shuffled, ddof=1))
    if variance <= (1e-9 * max(mean, 1e-9)) ** 2 or mean <= 0:
        # Of classes of one particle each every order tells as much, and nothing can be learnt.
        return Association(
            name, condition.name, information, mean, 0.0, 1.0, flagged=False, words=""
        )
    coarser = min(_entropy(np.bincount(classes)), _entropy(np.bincount(codes)))
    # 2 N times the information is nearly chi-squared, so a gamma distribution fits its tail.
    chance = float(gamma.sf(information, mean**2 / variance, scale=variance / mean))
    probability = min(1.0, chance * n_pairs)
    room = coarser - mean
    strength = max(0.0, (information - mean) / room) if room > 0 else 0.0
    flagged = probability < FLAG_PROBABILITY and strength > FLAG_STRENGTH
    words = ""
    if flagged:
        kept = sample[there]
        words = _in_words(classes, condition, kept)
    return Association(
        name, condition.name, information, mean, strength, probability, flagged, words
    )


def _in_words(
    classes: npt.NDArray[np.int64], condition: Condition, particles: npt.NDArray[np.int64]
) -> str:
    """What the class that deviates most has more of than the others."""
    codes = condition.codes[particles]
    table = _table(classes, _dense(codes)).astype(float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    excess = (table - expected) ** 2 / np.maximum(expected, 1e-12)
    number = int(np.argmax(excess.sum(axis=1)))
    described = condition.describe(particles, classes == number)
    if len(table) == 2:
        # A selection and the rest: the selection is what is spoken of.
        return condition.describe(particles, classes == 1)
    return f"class {number}: {described}"


def _classes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Class numbers from 0; -1 where there is no value."""
    if values.dtype.kind == "f":
        numbers = values.astype(float)
        finite = np.isfinite(numbers)
        edges = np.quantile(numbers[finite], np.linspace(0, 1, AXIS_CLASSES + 1)[1:-1])
        found = np.searchsorted(edges, numbers).astype(np.int64)
        return np.where(finite, found, -1)
    if values.dtype.kind in "bu":
        return values.astype(np.int64)
    codes, _ = pd.factorize(values, sort=True)
    return np.asarray(codes, dtype=np.int64)


def _dense(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if not len(codes):
        return codes
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def _table(
    first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    flat = first.astype(np.int64) * columns + second
    return np.bincount(flat, minlength=rows * columns).reshape(rows, columns)


def _entropy(counts: npt.NDArray[np.integer]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
