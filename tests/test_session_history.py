"""Visited states: back and forward as in a browser, carried over epochs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.session_history import VisitedStates, show_visit
from napari_cryodrgn.session_records import Pick, State


def space(epoch: int, rows: list[int], n_source: int = 20) -> LatentSpace:
    mu = np.random.default_rng(epoch).normal(size=(len(rows), 3)).astype(np.float32)
    return make_latent_space(mu, ParticleRows(np.array(rows), n_source), epoch=epoch)


def picked(latent: LatentSpace, position: int, *, moving: bool = False) -> State:
    pick = Pick(position, latent.rows.at([position]), latent.mu[position])
    return State(pick.z, pick, "click", moving)


def free(*z: float, moving: bool = False) -> State:
    return State(np.array(z, np.float32), None, "typed", moving)


@pytest.fixture
def latent() -> LatentSpace:
    return space(1, list(range(20)))


@pytest.fixture
def history(latent: LatentSpace) -> VisitedStates:
    made = VisitedStates()
    made.set_space(latent)
    return made


def positions(history: VisitedStates) -> list[int | None]:
    return [visit.position for visit in history.visits]


def test_only_settled_states_are_visits_and_none_twice_in_a_row(history, latent):
    told: list[int] = []
    history.changed.connect(lambda: told.append(len(history.visits)))
    for state in (
        picked(latent, 3),
        picked(latent, 4, moving=True),
        free(1, 2, 3, moving=True),
        picked(latent, 3),
        free(1, 2, 3),
        free(1, 2, 3),
        picked(latent, 3),
        State(np.zeros(0, np.float32)),
    ):
        history.note(state)
    assert positions(history) == [3, None, 3]
    assert told == [1, 2, 3]
    # A free point upon a particle is not the particle.
    history.note(State(latent.mu[3], None, "typed"))
    assert positions(history) == [3, None, 3, None]


def test_back_and_forward_are_those_of_a_browser(history, latent):
    for position in (1, 2, 3):
        history.note(picked(latent, position))
    assert history.can_back
    assert not history.can_forward
    assert history.forward() is None
    visit = history.back()
    assert visit.position == 2
    # The session shows it again: no new visit, and the way forward stays.
    history.note(picked(latent, 2))
    assert (positions(history), history.index) == ([1, 2, 3], 1)
    assert history.forward().position == 3
    history.go(0)
    assert not history.can_back
    assert history.back() is None
    # A new state drops what lay ahead.
    history.note(picked(latent, 9))
    assert positions(history) == [1, 9]
    assert history.go(5) is None
    assert history.index == 1


def test_a_visit_does_not_change_with_the_array_it_came_from(history):
    state = free(1, 2, 3)
    history.note(state)
    state.z[:] = 7
    np.testing.assert_array_equal(history.visits[0].z, [1, 2, 3])


def test_the_oldest_visits_are_dropped(latent):
    history = VisitedStates(most=5)
    for position in range(12):
        history.note(picked(latent, position))
    assert positions(history) == [7, 8, 9, 10, 11]
    assert history.index == 4


def test_particles_are_carried_over_to_another_epoch_by_their_row(history, latent):
    for state in (picked(latent, 5), free(1, 1, 1), picked(latent, 6), picked(latent, 7)):
        history.note(state)
    history.back()  # at particle 6
    later = space(2, [7, 5, 6, 2])
    history.set_space(later)
    assert [visit.row for visit in history.visits] == [5, 6, 7]
    assert positions(history) == [1, 2, 0]
    for visit in history.visits:
        np.testing.assert_array_equal(visit.z, later.mu[visit.position])
    assert history.visits[history.index].row == 6
    # Particles that the other space lacks are gone; what became neighbours is one visit.
    history.note(picked(later, 2))
    history.set_space(space(3, [6]))
    assert [visit.row for visit in history.visits] == [6]
    assert history.index == 0
    history.set_space(space(4, [0]))
    assert (history.visits, history.index) == ((), -1)
    assert not history.can_back


def test_a_new_analysis_of_the_same_epoch_changes_nothing(history, latent):
    history.note(free(1, 1, 1))
    history.note(picked(latent, 2))
    again = make_latent_space(latent.mu.copy(), latent.rows, epoch=1)
    history.set_space(again)
    assert positions(history) == [None, 2]
    history.set_space(None)
    assert history.visits == ()


def test_showing_a_visit_asks_for_what_it_was():
    asked: list[tuple] = []
    session = SimpleNamespace(
        pick=lambda position, source: asked.append((position, source)),
        request_z=lambda z, source: asked.append((z.tolist(), source)),
    )
    latent = space(1, [4, 5])
    history = VisitedStates()
    history.note(picked(latent, 1))
    history.note(free(1, 2, 3))
    for visit in (*history.visits, history.back(), history.back()):
        show_visit(session, visit, "back")
    assert asked == [(1, "back"), ([1, 2, 3], "back"), (1, "back")]
