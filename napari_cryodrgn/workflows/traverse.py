"""Paths through a latent space as text: cryoDRGN's traversals, and ours beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.latent.embedding import principal_components
from napari_cryodrgn.latent.path import LatentPath, Pace, Route, checked_waypoints, waypoint
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_makers import TourOrder
from napari_cryodrgn.latent.path_pace import PacedPath, latent_pace, volume_pace
from napari_cryodrgn.latent.path_profile import PathProfile, path_profile
from napari_cryodrgn.latent.path_routes import NO_PARTICLE, RoutedPath, graph_route, route
from napari_cryodrgn.latent.tour_order import shortest_tour
from napari_cryodrgn.latent.traversal import pc_traversal
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.volume_files import DeviceName
from napari_cryodrgn.workflows.z_values import write_z_values

Kind = Literal["direct", "graph", "pc", "spline", "nearest", "density", "tour"]
DEFAULT_POINTS: dict[Kind, int] = {"direct": 6, "nearest": 10, "spline": 20, "tour": 6, "pc": 10}
PACE_BOX = 32


@dataclass(frozen=True)
class TraverseSettings:
    """How a path is made; names and defaults are those of cryoDRGN's traversals.

    Parameters
    ----------
    kind : str
        Which way it goes.
    n_points : int or None
        Points from one anchor to the next, both counted; along the component for "pc". Of a
        path with a pace: frames in all.
    loop : bool
        Go back to the first anchor.
    max_neighbors, avg_neighbors : int, float
        Of the graph.
    pc : int
        Which principal component, from 1.
    limits : (float, float) or None
        Where the path along it begins and ends, as coordinates; 5th and 95th percentile if
        None.
    percentile_spacing : bool
        Points at equally spaced percentiles rather than coordinates.
    order : {"shortest", "given"}
        Of a tour.
    pace : {"points", "latent", "volume"}
        The route's own points, equal steps in z, or equal change of the volume.
    """

    kind: Kind = "direct"
    n_points: int | None = None
    loop: bool = False
    max_neighbors: int = 10
    avg_neighbors: float = 5.0
    pc: int = 1
    limits: tuple[float, float] | None = None
    percentile_spacing: bool = False
    order: TourOrder = "shortest"
    pace: Pace = "points"


@dataclass(frozen=True, eq=False)
class Traversal:
    """A path that was made.

    Parameters
    ----------
    z : (n, zdim) array
        Its points.
    positions : (n,) int64 array
        Positions of the particles that they are, in the latents; -1 for none.
    profile : PathProfile
        Density and distance from particles along it.
    paced : PacedPath or None
        Steps of the volume, of that pace.
    report : tuple of str
        What to say of it, as cryoDRGN does.
    """

    z: npt.NDArray[np.floating]
    positions: npt.NDArray[np.int64]
    profile: PathProfile
    paced: PacedPath | None
    report: tuple[str, ...]


def traverse(
    source: Path,
    epoch: int | None,
    anchors: Sequence[int],
    settings: TraverseSettings,
    *,
    waypoints: npt.NDArray[np.floating] | None = None,
    out: Path | None = None,
    indices_out: Path | None = None,
    profile_out: Path | None = None,
    device: DeviceName = "auto",
) -> Task[Traversal]:
    """Make a path and write it.

    Parameters
    ----------
    source : Path
        Run folder, or the latents of any run (``z.N.pkl``).
    epoch : int or None
        Which epoch of a run folder; the latest if None.
    anchors : sequence of int
        Rows of the latents that the path goes through, counted from 0, as cryoDRGN counts.
    settings : TraverseSettings
    waypoints : (W, zdim) array, optional
        Latent points in the place of anchors.
    out, indices_out, profile_out : Path, optional
        Files for the latent points, for the rows of the particles passed, and for density and
        distance along the path (CSV).
    device : {"auto", "cuda", "mps", "cpu"}
        Where to decode, for the pace "volume".

    Returns
    -------
    Traversal

    Raises
    ------
    InputError
        Where latents or anchors do not do, no way leads along the graph, or a file cannot be
        written.
    """
    yield Progress(0, None, "Reading the latent space")
    mu, run, number = _latents(source, epoch)
    field = LatentField(mu)
    if settings.n_points is not None and settings.n_points < 2:
        raise InputError("a path has at least two points", field="-n", value=settings.n_points)
    routed, report = yield from _routed(field, anchors, waypoints, settings)
    z: npt.NDArray[np.floating] = routed.points
    positions, paced = routed.positions, None
    if settings.pace != "points":
        n_frames = settings.n_points or 20
        if settings.pace == "latent":
            z = latent_pace(routed.points, n_frames)
        else:
            paced = yield from volume_paced(run, number, routed.points, n_frames, device)
            z = paced.z
            report = (*report, _pace_text(paced))
        positions = np.full(len(z), NO_PARTICLE, dtype=np.int64)
    yield from field.measuring_density()
    profile = path_profile(routed.points, field)
    report = (*report, *routed.remarks, _profile_text(profile))
    result = Traversal(z, positions, profile, paced, report)
    files = [file for file in (out, indices_out, profile_out) if file is not None]
    with making_folders(*(file.absolute().parent for file in files)):
        _write(result, out, indices_out, profile_out)
    return result


def _routed(
    field: LatentField,
    anchors: Sequence[int],
    waypoints: npt.NDArray[np.floating] | None,
    settings: TraverseSettings,
) -> Task[tuple[RoutedPath, tuple[str, ...]]]:
    """The route, and what cryoDRGN says of such a one."""
    if settings.kind == "pc":
        return _along_component(field, settings)
    points, positions = _anchor_points(field, anchors, waypoints, settings)
    if settings.kind == "graph":
        checked_waypoints(_path(points, "graph", settings), field.zdim)
        if settings.loop:
            points = np.concatenate([points, points[:1]])
            positions = None if positions is None else np.append(positions, positions[0])
        routed = yield from graph_route(
            points,
            field,
            positions=positions,
            max_neighbors=settings.max_neighbors,
            avg_neighbors=settings.avg_neighbors,
        )
        report = yield from _graph_report(field, routed, settings)
        return routed, report
    routes: dict[Kind, Route] = {"tour": "direct"}
    path = _path(points, routes.get(settings.kind, settings.kind), settings)  # type: ignore[arg-type]
    per_leg = settings.n_points if settings.pace == "points" else None
    routed = yield from route(path, field, per_leg or DEFAULT_POINTS.get(settings.kind))
    return routed, ()


def _path(points: npt.NDArray[np.floating], kind: Route, settings: TraverseSettings) -> LatentPath:
    return LatentPath(
        name="--anchors",
        waypoints=tuple(waypoint(point) for point in points),
        closed=settings.loop,
        route=kind,
    )


def _anchor_points(
    field: LatentField,
    anchors: Sequence[int],
    waypoints: npt.NDArray[np.floating] | None,
    settings: TraverseSettings,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64] | None]:
    """Latent points to pass, and the rows that they are, where they were given so."""
    if waypoints is not None:
        points, positions = np.asarray(waypoints, dtype=np.float64), None
    else:
        for anchor in anchors:
            if not 0 <= anchor < len(field.mu):
                raise InputError(
                    f"there are {len(field.mu)} particles, counted from 0",
                    field="--anchors",
                    value=anchor,
                )
        positions = np.array(anchors, dtype=np.int64)
        points = field.mu[positions].astype(np.float64)
    if len(points) < 2:
        have = "none" if not len(points) else "only one"
        raise InputError(f"a path needs two anchors, and {have} was given", field="--anchors")
    if settings.kind == "tour" and settings.order == "shortest":
        order = shortest_tour(points, closed=settings.loop)
        points, positions = points[order], None if positions is None else positions[order]
    return points, positions


def _along_component(
    field: LatentField, settings: TraverseSettings
) -> tuple[RoutedPath, tuple[str, ...]]:
    """Points along a principal component, as cryoDRGN's ``pc_traversal`` has them."""
    components = principal_components(field.mu)
    count = settings.n_points or DEFAULT_POINTS["pc"]
    pc_traversal(components, settings.pc, count)
    along = components.coordinates[:, settings.pc - 1]
    low, high = settings.limits or tuple(np.percentile(along, [5, 95]))
    if not low < high:
        raise InputError(
            "the first limit is below the second", field="--lim", value=f"{low} {high}"
        )
    places = np.linspace(low, high, count)
    if settings.percentile_spacing:
        shares = [float((along < limit).mean() * 100) for limit in (low, high)]
        begin, end = shares if settings.limits else (5.0, 95.0)
        places = np.percentile(along, np.linspace(begin, end, count))
    points = np.zeros((count, components.coordinates.shape[1]))
    points[:, settings.pc - 1] = places
    z = components.to_z(points)
    routed = RoutedPath(
        z, np.full(count, NO_PARTICLE, dtype=np.int64), np.array([0, count - 1], dtype=np.int64)
    )
    return routed, (f"PC{settings.pc}", f"Limits: {places[0]:.6g}, {places[-1]:.6g}")


def _graph_report(
    field: LatentField, routed: RoutedPath, settings: TraverseSettings
) -> Task[tuple[str, ...]]:
    graph = yield from field.graph(settings.max_neighbors, settings.avg_neighbors)
    lines = [f"Max dist between neighbors: {graph.max_distance:.4g}"]
    for start, end in zip(routed.waypoint_at[:-1], routed.waypoint_at[1:], strict=True):
        leg = routed.points[start : end + 1]
        length = float(np.linalg.norm(np.diff(leg, axis=0), axis=1).sum())
        name = f"{routed.positions[start]}->{routed.positions[end]}"
        straight = float(np.linalg.norm(leg[-1] - leg[0]))
        lines.append(f"Total path distance {name}: {length:.4g} (straight {straight:.4g})")
    return tuple(lines)


def volume_paced(
    run: RunFolder | None,
    epoch: int | None,
    points: npt.NDArray[np.float64],
    n_frames: int,
    device: DeviceName,
) -> Task[PacedPath]:
    """Frames at equal change of the volume along a route (M, zdim); see ``path_pace``.

    Decoded at a small box, on a device of its own.

    Raises
    ------
    InputError
        Without a run, whose weights it needs, and as ``volume_pace``.
    """
    # torch is imported with these.
    from napari_cryodrgn.decoding.volume import decode_volumes
    from napari_cryodrgn.model.checkpoint import load_model
    from napari_cryodrgn.training.device import choose_device

    if run is None:
        raise InputError(
            "equal change of the volume needs the weights", hint="Give the run folder, not z.pkl"
        )
    yield Progress(0, None, "Loading the model")
    model = load_model(run, epoch, choose_device(device))
    box = min(PACE_BOX, model.box)
    paced = yield from volume_pace(points, n_frames, lambda z: decode_volumes(model, z, box=box))
    return paced


def _latents(
    source: Path, epoch: int | None
) -> tuple[npt.NDArray[np.float32], RunFolder | None, int | None]:
    """Latents, and the run and epoch that they are of; none of a file alone."""
    if source.is_file():
        return read_latents(source).mu, None, None
    run = RunFolder.existing(source)
    epochs = run.latent_epochs()
    if epoch is None and not epochs and run.latents().is_file():
        return read_latents(run.latents()).mu, run, None
    number = run.epoch_or_latest(epoch, epochs, "latents")
    return read_latents(run.latents(number)).mu, run, number


def _write(
    result: Traversal, out: Path | None, indices_out: Path | None, profile_out: Path | None
) -> None:
    if indices_out is not None and (result.positions == NO_PARTICLE).any():
        raise InputError("this path does not go from particle to particle", field="--outind")
    if out is not None:
        write_z_values(out, result.z)
    if indices_out is not None:
        write_text(indices_out, "".join(f"{position}\n" for position in result.positions))
    if profile_out is not None:
        profile = result.profile
        rows = zip(profile.share, profile.log_density, profile.distance, profile.far, strict=True)
        lines = [f"{a:.6g},{b:.6g},{c:.6g},{int(d)}\n" for a, b, c, d in rows]
        write_text(profile_out, "".join(["share,log_density,distance,far\n", *lines]))


def _pace_text(paced: PacedPath) -> str:
    return (
        f"Largest over smallest change of the volume: {paced.ratio:.2f} "
        f"({paced.latent_ratio:.2f} at equal steps in z)"
    )


def _profile_text(profile: PathProfile) -> str:
    text = (
        f"Mean log density {profile.mean_log_density:.3f}, lowest {profile.log_density.min():.3f}"
    )
    if profile.stretches:
        places = ", ".join(f"{begin:.0%} to {end:.0%}" for begin, end in profile.stretches)
        text += f"; far from particles at {places} of the way"
    return text
