"""The paths of the open run: made, edited, undone, and saved at every change.

The book belongs to a session, but knows neither it nor Qt: the session tells it which
run folder and which latent space are shown, whoever draws paths listens to `changed`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from psygnal import Signal
from pydantic import ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path import PATH_COLOURS, LatentPath, Waypoint, waypoint
from napari_cryodrgn.latent.path_files import PATHS_FILE, SavedPaths, read_paths, write_paths
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.run import RunFolder

_UNDO_STEPS = 100
_State = tuple[tuple[LatentPath, ...], str | None]


class PathBook:
    """All paths of a run.

    Attributes
    ----------
    changed : Signal(PathBook)
        A path, their order, or which is active has changed; also after `set_run` and
        `set_space`.
    problem : Signal(str)
        Something that a person should know, such as a file that cannot be written.
    """

    changed = Signal(object)
    problem = Signal(str)

    def __init__(self) -> None:
        self._file: Path | None = None
        self._damaged = False
        self._told = False
        self._space: LatentSpace | None = None
        self._epoch: int | None = None
        self._table: tuple[int, str] = (0, "")
        self._paths: tuple[LatentPath, ...] = ()
        self._active: str | None = None
        self._past: list[_State] = []
        self._future: list[_State] = []

    # What there is

    @property
    def paths(self) -> tuple[LatentPath, ...]:
        """All paths, in the order in which they were made."""
        return self._paths

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(path.name for path in self._paths)

    @property
    def active(self) -> LatentPath | None:
        """The path that is worked on; None where there is none."""
        return next((path for path in self._paths if path.name == self._active), None)

    def get(self, name: str) -> LatentPath:
        """The path of a name.

        Raises
        ------
        InputError
            Where there is none.
        """
        for path in self._paths:
            if path.name == name:
                return path
        listed = ", ".join(self.names) or "none"
        raise InputError(f"there is no such path (there are: {listed})", field="path", value=name)

    # Changes, each of which can be undone

    def add(self, path: LatentPath | None = None, **values: Any) -> LatentPath:
        """Add a path and make it the active one.

        Parameters
        ----------
        path : LatentPath, optional
            The path; made from `values` if not given.
        **values
            Fields of `LatentPath`. Without a name it is called "Path 1", "Path 2" …, without a
            colour it takes one that the others do not have.

        Returns
        -------
        LatentPath

        Raises
        ------
        InputError
            Where the name is taken or a value does not do.
        """
        if path is None:
            values.setdefault("name", self._free_name())
            values.setdefault("colour", self._free_colour())
            path = _checked(values)
        self._require_free(path.name)
        self._set((*self._paths, path), path.name)
        return path

    def remove(self, name: str) -> None:
        """Remove a path; the one after it, or the last, is active then if it was."""
        index = self._index(name)
        left = (*self._paths[:index], *self._paths[index + 1 :])
        active = self._active
        if active == name:
            active = left[min(index, len(left) - 1)].name if left else None
        self._set(left, active)

    def rename(self, name: str, new_name: str) -> LatentPath:
        """Give a path another name."""
        return self.edit(name, name=new_name)

    def edit(self, name: str, /, **changes: Any) -> LatentPath:
        """Change fields of a path.

        Parameters
        ----------
        name : str
            Which.
        **changes
            Fields of `LatentPath`, among them `waypoints`.

        Returns
        -------
        LatentPath

        Raises
        ------
        InputError
            Where there is no such path or a value does not do.
        """
        index = self._index(name)
        path = _checked({**dict(self._paths[index]), **changes})
        if path.name != name:
            self._require_free(path.name)
        active = path.name if self._active == name else self._active
        self._set((*self._paths[:index], path, *self._paths[index + 1 :]), active)
        return path

    def replace(self, path: LatentPath) -> LatentPath:
        """Put a path in the place of the one that bears its name."""
        return self.edit(path.name, **dict(path))

    def activate(self, name: str | None) -> None:
        """Make a path the one that is worked on; no step of its own to be undone."""
        if name is not None:
            self._index(name)
        if name != self._active:
            self._active = name
            self._save()
            self.changed.emit(self)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return bool(self._future)

    def undo(self) -> None:
        """Take the last change back."""
        if self._past:
            self._future.append((self._paths, self._active))
            self._go_to(self._past.pop())

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._future:
            self._past.append((self._paths, self._active))
            self._go_to(self._future.pop())

    # Waypoints in the latent space shown

    def waypoint_of_particle(self, position: int) -> Waypoint:
        """The waypoint of the particle at a position of the latent space shown.

        Raises
        ------
        InputError
            Where there is no such position.
        """
        space = self._space
        if space is None or not 0 <= position < len(space):
            raise InputError("there is no such particle", field="position", value=position)
        return waypoint(space.mu[position], int(space.rows.rows[position]))

    def positions(self, path: LatentPath) -> list[int | None]:
        """Position in the latent space shown of each waypoint that is a particle, else None."""
        if self._space is None:
            return [None] * len(path)
        where = _positions_by_row(self._space, [one.row for one in path.waypoints])
        return [None if one.row is None else where.get(one.row) for one in path.waypoints]

    # Following the session

    def set_run(self, run: RunFolder | None) -> None:
        """Show the paths of a run; those of the run before stay saved with it."""
        file = None if run is None else run.own / PATHS_FILE
        self._file, self._damaged, self._told, self._space = file, False, False, None
        self._past, self._future = [], []
        saved = SavedPaths()
        if file is not None:
            try:
                saved = read_paths(file)
            except InputError as error:
                self._damaged = True
                self.problem.emit(f"{error}. It is kept beside new paths")
        self._paths, self._active = saved.paths, saved.active
        self._epoch, self._table = saved.epoch, (saved.n_source, saved.fingerprint)
        self.changed.emit(self)

    def set_space(self, space: LatentSpace | None) -> None:
        """Follow to another epoch: waypoints that are particles go where these lie now.

        Free ones stay at their coordinates, and a waypoint whose particle is not there any
        more becomes a free one.
        """
        self._space = space
        if space is None:
            return
        table = (space.rows.n_source, space.rows.fingerprint)
        known = self._table == (0, "") or _same_table(self._table, table)
        if self._epoch != space.epoch or not known:
            # What could be undone lies in the latent space of another epoch.
            self._past, self._future = [], []
        before = self._paths
        self._paths = tuple(_carried(path, space, known) for path in self._paths)
        self._epoch, self._table = space.epoch, table
        if not known and any(one.row is not None for path in before for one in path.waypoints):
            self.problem.emit(
                "The paths were drawn on other particles: their waypoints stay at their latent "
                "coordinates and are no longer tied to particles"
            )
        if self._paths != before:
            self._save()
        self.changed.emit(self)

    # Within

    def _set(self, paths: tuple[LatentPath, ...], active: str | None) -> None:
        self._past = [*self._past[-_UNDO_STEPS + 1 :], (self._paths, self._active)]
        self._future = []
        self._go_to((paths, active))

    def _go_to(self, state: _State) -> None:
        self._paths, self._active = state
        self._save()
        self.changed.emit(self)

    def _save(self) -> None:
        if self._file is None:
            return
        n_source, fingerprint = self._table
        saved = SavedPaths(
            paths=self._paths,
            active=self._active,
            epoch=self._epoch,
            n_source=n_source,
            fingerprint=fingerprint,
        )
        try:
            if self._damaged:
                with contextlib.suppress(FileNotFoundError):
                    self._file.replace(self._file.with_suffix(".damaged.json"))
                self._damaged = False
            write_paths(self._file, saved)
        except (InputError, OSError) as error:
            # Told once a run: a folder that cannot be written to still lets paths be drawn.
            if not self._told:
                self._told = True
                self.problem.emit(f"The paths are not saved: {error}")

    def _index(self, name: str) -> int:
        return self._paths.index(self.get(name))

    def _require_free(self, name: str) -> None:
        if name in self.names:
            raise InputError("another path bears this name", field="name", value=name)

    def _free_name(self) -> str:
        number = 1
        while f"Path {number}" in self.names:
            number += 1
        return f"Path {number}"

    def _free_colour(self) -> str:
        taken = [path.colour for path in self._paths]
        return min(PATH_COLOURS, key=lambda colour: taken.count(colour))


def _checked(values: dict[str, Any]) -> LatentPath:
    try:
        return LatentPath(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(first["msg"], field=field, value=first.get("input")) from error


def _same_table(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Whether two tables are one; without a fingerprint their length must do."""
    return one[0] == other[0] and (one[1] == other[1] or not (one[1] and other[1]))


def _carried(path: LatentPath, space: LatentSpace, same_table: bool) -> LatentPath:
    """A path with its particles where they lie in a latent space."""
    if all(one.row is None for one in path.waypoints):
        return path
    rows = [one.row for one in path.waypoints] if same_table else []
    where = _positions_by_row(space, rows)
    moved = []
    for one in path.waypoints:
        position = None if one.row is None else where.get(one.row)
        moved.append(
            Waypoint(z=one.z, row=None)
            if position is None
            else waypoint(space.mu[position], one.row)
        )
    return path.model_copy(update={"waypoints": tuple(moved)})


def _positions_by_row(space: LatentSpace, rows: list[int | None]) -> dict[int, int]:
    """Positions in a latent space of rows of its table, for those that are there."""
    wanted = [row for row in rows if row is not None]
    if not wanted:
        return {}
    positions = np.flatnonzero(np.isin(space.rows.rows, wanted))
    return dict(zip(space.rows.rows[positions].tolist(), positions.tolist(), strict=True))
