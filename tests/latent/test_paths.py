"""Paths: the book that keeps them, their routes, pace and profile."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.latent.density import fit_density
from napari_cryodrgn.latent.path import LatentPath, Waypoint, checked_waypoints, waypoint
from napari_cryodrgn.latent.path_book import PathBook
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_graph import graph_leg
from napari_cryodrgn.latent.path_pace import latent_pace, step_ratio, volume_pace
from napari_cryodrgn.latent.path_profile import path_profile
from napari_cryodrgn.latent.path_routes import graph_route, route
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.latent.tour_order import shortest_tour
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder


def banana(rng: np.random.Generator, n: int = 600) -> np.ndarray:
    """Particles along half a ring, from (-1, 0) over (0, 1) to (1, 0)."""
    angle = rng.uniform(0, np.pi, n)
    ring = np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    return (ring + rng.normal(0, 0.05, (n, 2))).astype(np.float32)


def space(mu: np.ndarray, epoch: int = 1) -> LatentSpace:
    return make_latent_space(mu, ParticleRows.every(len(mu), "table"), epoch=epoch)


def through(*points: tuple[float, ...], **settings: object) -> LatentPath:
    return LatentPath(name="p", waypoints=tuple(waypoint(z) for z in points), **settings)


def test_a_book_keeps_its_paths_with_the_run(tmp_path: Path, rng: np.random.Generator) -> None:
    mu = banana(rng)
    run = RunFolder(tmp_path)
    book = PathBook()
    book.set_run(run)
    book.set_space(space(mu))
    book.add(waypoints=(book.waypoint_of_particle(3), waypoint([0.1, 0.2])), route="density")
    book.edit("Path 1", n_frames=33)
    again = PathBook()
    again.set_run(run)
    assert again.paths == book.paths
    assert again.active == book.active
    assert again.active.n_frames == 33
    # At another epoch its particle waypoint goes where the particle lies, the free one stays.
    again.set_space(space(mu + 1, epoch=2))
    first, second = again.paths[0].waypoints
    np.testing.assert_allclose(first.z, mu[3] + 1, rtol=1e-6)
    assert second.z == (0.1, 0.2)
    assert again.positions(again.paths[0]) == [3, None]


def test_changes_can_be_undone_and_bad_ones_change_nothing() -> None:
    book = PathBook()
    book.add(name="a")
    book.add(name="b")
    with pytest.raises(InputError, match="another path bears this name"):
        book.rename("b", "a")
    with pytest.raises(InputError, match="n_frames"):
        book.edit("a", n_frames=1)
    assert book.names == ("a", "b")
    book.remove("b")
    assert book.active is not None
    assert book.active.name == "a"
    book.undo()
    assert book.names == ("a", "b")
    assert book.active.name == "b"
    book.redo()
    assert book.names == ("a",)


def test_a_damaged_file_is_kept_and_told_of(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.own.mkdir()
    (run.own / "paths.json").write_text("{broken")
    book, told = PathBook(), []
    book.problem.connect(told.append)
    book.set_run(run)
    book.add()
    assert len(told) == 1
    assert "no file of paths" in told[0]
    assert (run.own / "paths.damaged.json").read_text() == "{broken"


def test_waypoints_are_moved_inserted_and_deleted() -> None:
    path = through((0, 0), (1, 0), (2, 0))
    assert path.with_waypoint_moved(0, 2).z[:, 0].tolist() == [1, 2, 0]
    assert path.with_waypoint(Waypoint(z=(9.0, 0.0)), 1).z[:, 0].tolist() == [0, 9, 1, 2]
    assert path.without_waypoint(1).z[:, 0].tolist() == [0, 2]
    with pytest.raises(InputError, match="3 waypoints"):
        path.without_waypoint(3)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (through((0, 0)), "only one waypoint"),
        (through((0, 0), (0, 0)), "1 and 2 are identical"),
        (through((0, 0), (1, 1), (0, 0), closed=True), "3 and 1 are identical"),
        (through((0, 0, 0), (1, 1, 1)), "3 numbers"),
    ],
)
def test_paths_that_lead_nowhere(path: LatentPath, words: str) -> None:
    with pytest.raises(InputError, match=words):
        checked_waypoints(path, 2)


@pytest.mark.parametrize("kind", ["direct", "spline", "nearest", "graph", "density"])
@pytest.mark.parametrize("closed", [False, True])
def test_routes_pass_their_waypoints(kind: str, closed: bool, rng: np.random.Generator) -> None:
    mu = banana(rng)
    ends = [int(np.linalg.norm(mu - place, axis=1).argmin()) for place in ((-1, 0), (0, 1), (1, 0))]
    path = LatentPath(
        name="p",
        route=kind,
        closed=closed,
        waypoints=tuple(waypoint(mu[end]) for end in ends),
        max_neighbors=30,
        avg_neighbors=20,
    )
    routed = run_to_end(route(path, LatentField(mu)))
    expected = [*ends, ends[0]] if closed else ends
    np.testing.assert_allclose(routed.points[routed.waypoint_at], mu[expected], atol=1e-6)


def test_a_density_path_stays_where_the_particles_are(rng: np.random.Generator) -> None:
    field = LatentField(banana(rng))
    straight = path_profile(run_to_end(route(through((-1, 0), (1, 0)), field)).points, field)
    path = run_to_end(route(through((-1, 0), (1, 0), route="density"), field))
    dense = path_profile(path.points, field)
    assert not path.remarks
    assert dense.mean_log_density > straight.mean_log_density + 2
    assert straight.far_share > 0.5
    assert len(straight.stretches) == 1
    assert dense.far_share == 0
    # On the ring all the way.
    assert np.abs(np.linalg.norm(dense.points, axis=1) - 1).max() < 0.2


def test_the_gradient_of_the_density_is_its_slope(rng: np.random.Generator) -> None:
    density = fit_density(banana(rng))
    point, step = np.array([[0.3, 0.8]]), 1e-5
    for axis in range(2):
        away = step * np.eye(2)[axis]
        slope = (density.log_density(point + away) - density.log_density(point - away)) / (2 * step)
        np.testing.assert_allclose(density.gradient(point)[0, axis], slope[0], rtol=1e-4)


def test_an_unreachable_anchor_is_told_with_numbers_that_do(rng: np.random.Generator) -> None:
    mu = rng.normal(0, 0.1, (60, 2)).astype(np.float32)
    mu[30:] += 3
    field = LatentField(mu)
    with pytest.raises(InputError, match="no way along neighbouring particles") as raised:
        run_to_end(graph_route(mu[[0, 40]].astype(float), field))
    words = str(raised.value).split()
    k, average = int(words[words.index("--max-neighbors") + 1]), float(words[-1])
    routed = run_to_end(
        graph_route(mu[[0, 40]].astype(float), field, max_neighbors=k, avg_neighbors=average)
    )
    assert routed.positions[0] == 0
    assert routed.positions[-1] == 40


@pytest.mark.parametrize("closed", [False, True])
def test_tours_are_short(closed: bool, rng: np.random.Generator) -> None:
    points = rng.normal(size=(6, 2))

    def length(order: object) -> float:
        way = points[np.array(order)]
        return float(
            np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
            + closed * np.linalg.norm(way[-1] - way[0])
        )

    best = min(map(length, itertools.permutations(range(6))))
    order = shortest_tour(points, closed=closed)
    assert sorted(order) == list(range(6))
    assert length(order) <= 1.02 * best


def test_an_even_pace_of_the_volume() -> None:
    """A volume that changes slowly at first and quickly at the end."""
    points = np.array([[0.0], [1.0]])

    def volumes(z: np.ndarray) -> object:
        return (np.full((2, 2, 2), value**3, np.float32) for value in z[:, 0])

    paced = run_to_end(volume_pace(points, 20, volumes))
    assert paced.latent_ratio > 100
    assert paced.ratio <= 1.3
    assert paced.z[0, 0] == 0
    assert paced.z[-1, 0] == 1
    even = latent_pace(points, 20)
    assert step_ratio(np.diff(even[:, 0].astype(float))) < 1.001
    with pytest.raises(InputError, match="does not change"):
        run_to_end(volume_pace(points, 5, lambda z: (np.zeros((2, 2, 2), np.float32) for _ in z)))


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "anchors", "k", "average", "longest", "nodes", "lengths"),
    [
        (
            "zvals_het-2_1k.pkl",
            (50, 100),
            30,
            10,
            0.1022,
            [50, 22, 1310, 1047, 1093, 857, 159, 1215, 157, 1006, 672, 100],
            [0.8441],
        ),
        ("zvals_het-2_1k.pkl", (50, 100), 50, 20, 0.149, None, [0.808]),
        ("zvals_het-8_4k.pkl", (2020, 3030, 4040), 10, 5, 0.7912, None, [2.409, 5.141]),
    ],
)
def test_graph_paths_are_those_of_cryodrgn(
    data_folder: Path,
    file: str,
    anchors: tuple[int, ...],
    k: int,
    average: float,
    longest: float,
    nodes: list[int] | None,
    lengths: list[float],
) -> None:
    mu = read_latents(data_folder / "cryodrgn-tests" / file).mu
    graph = run_to_end(LatentField(mu).graph(k, average))
    assert graph.max_distance == pytest.approx(longest, rel=5e-4)
    legs = [graph_leg(graph, mu, a, b) for a, b in itertools.pairwise(anchors)]
    for leg, length in zip(legs, lengths, strict=True):
        assert leg is not None
        assert leg.length == pytest.approx(length, rel=5e-4)
    if nodes is not None:
        assert legs[0].positions.tolist() == nodes
