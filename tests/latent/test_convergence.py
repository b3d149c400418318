"""Movement between epochs: none by turning the whole, all by throwing particles together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.convergence import movement


def test_turning_and_stretching_the_whole_moves_nothing(rng: np.random.Generator) -> None:
    before = rng.normal(size=(400, 5))
    after = 3 * before @ ortho_group.rvs(5, random_state=1) + 7
    found = movement(before, after, (3, 4))
    assert found.moved == pytest.approx(0, abs=1e-6)
    assert found.kept == 1
    assert (found.before, found.after) == (3, 4)


def test_others_in_place_of_the_same(rng: np.random.Generator) -> None:
    found = movement(rng.normal(size=(2000, 5)), rng.normal(size=(2000, 5)), (1, 2))
    assert found.moved > 0.99
    assert found.kept == pytest.approx(found.by_chance, rel=0.2)


def test_more_noise_moves_more(rng: np.random.Generator) -> None:
    z = rng.normal(size=(1000, 4))
    moves = [movement(z, z + rng.normal(0, s, z.shape), (1, 2)) for s in (0.05, 0.2, 0.8)]
    assert [m.moved for m in moves] == sorted(m.moved for m in moves)
    assert [m.kept for m in moves] == sorted((m.kept for m in moves), reverse=True)
    # Noise of a twentieth of the spread: so much of it remains after the best alignment.
    assert moves[0].moved == pytest.approx(0.05, rel=0.05)


def test_what_cannot_be_compared(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="different particles"):
        movement(rng.normal(size=(10, 3)), rng.normal(size=(9, 3)), (1, 2))
    with pytest.raises(InputError, match="at least three"):
        movement(rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), (1, 2))
