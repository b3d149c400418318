"""Keeps what a window shows of a run: looked at every two seconds, saved where it has changed.

Looking takes a millisecond or two; files are read and written beside the GUI thread. A window
that is killed loses no more than the last seconds.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary, WeakMethod, WeakValueDictionary, ref

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_file import (
    MOST_KEPT,
    Camera,
    KeptState,
    LatentPoint,
    WindowState,
    read_session,
    session_place,
    write_session,
)
from napari_cryodrgn.session_records import Pick, ShownVolume
from napari_cryodrgn.training.lock import LockOwner, lock_owner, training_lock
from napari_cryodrgn.widgets.gui_thread import GuiThread
from napari_cryodrgn.widgets.recent_runs import remember_run
from napari_cryodrgn.widgets.tasks import start_task

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.widgets.dock import SessionDock
    from napari_cryodrgn.widgets.latent_dock import LatentDock
    from napari_cryodrgn.widgets.volume_dock import VolumeDock
    from napari_cryodrgn.workflows.open_run import OpenRun

LOOK_MILLISECONDS = 2_000

RENEW_SECONDS = 60.0
"""How often a window says that it still keeps a session."""

STALE_SECONDS = 900.0
"""After which the lock of another computer counts as left over; clocks may differ by minutes."""

PATIENCE = 30
"""Looks after which a volume that does not come is no longer waited for."""


class SessionKeeper(QObject):
    """Remembers, for one viewer and its session, what is shown of the open run.

    Parameters
    ----------
    viewer : napari viewer
    session : Session
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = ref(viewer), ref(session)
        self._docks: WeakValueDictionary[str, SessionDock] = WeakValueDictionary()
        self._run: RunFolder | None = None
        self._shown: WindowState | None = None
        self._saved: WindowState | None = None
        self._wanted: WindowState | None = None
        self._awaited: list[KeptState] = []
        self._looks = 0
        self._may_save = self._complained = False
        self._held = ExitStack()
        self._lock: Path | None = None
        self._renewed = 0.0
        self._writer: threading.Thread | None = None
        self._gui = GuiThread()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.look)
        # napari's end need not destroy the docks; a lock that stays would bind other computers.
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._let_go)
        session.run_changed.connect(self._hear_run)
        session.volume_given.connect(self._hear_volume)

    def join(self, dock: SessionDock) -> None:
        """Look at this dock too."""
        self._docks[type(dock).__name__] = dock

    def leave(self, name: str, identity: int) -> None:
        """A dock is gone, by its class and `id`; with the last one, write what was seen last."""
        if id(self._docks.get(name)) == identity:  # else another one has taken its place
            del self._docks[name]
        session = self._session()
        if session is None or not session.users:
            self._let_go()

    def look(self) -> None:
        """See what is shown, and save it where that is something else now."""
        session = self._session()
        if session is None or self._run is None or session.run is None:
            return
        self._renew()
        if self._wanted is not None:
            self._looks += 1
            if self._looks < PATIENCE and not self._without_volume(session):
                return
            self._restore_views()
        state = session.state_now
        if not self._may_save or (state is not None and state.moving):
            return
        self._shown = self._seen(session)
        if self._saved is None:
            self._saved = self._shown  # as it was opened: nothing to remember yet
        elif self._shown != self._saved:
            self._save(self._run, self._shown)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """See once more what is shown when the window is about to close."""
        if event.type() == QEvent.Type.Close and self._run is not None:
            self.flush()
            self.look()
        return bool(super().eventFilter(watched, event))

    def flush(self) -> None:
        """Wait until what was saved last is on the disk."""
        if self._writer is not None:
            self._writer.join()

    # What is open

    def _hear_run(self, run: OpenRun | None) -> None:
        self._let_go()
        if run is None:
            return
        self._run = run.folder
        self._timer.start()
        start_task(
            partial(_reading, run.folder),
            "Reading what was shown",
            done=partial(self._take, run.folder),
            failed=lambda failure: self._say(failure.message, failure.details),
        )

    def _let_go(self) -> None:
        """Of the run that was open: write the last of it, and let others keep its session."""
        if isalive(self._timer):  # not so where the program ends without napari's loop
            self._timer.stop()
        self.flush()
        run, shown = self._run, self._shown
        if run is not None and shown is not None and shown != self._saved and self._may_save:
            self._save(run, shown)
            self.flush()
        self._held.close()
        self._lock = None
        self._run = self._shown = self._saved = self._wanted = None
        self._awaited = []
        self._looks = 0
        self._may_save = self._complained = False

    # Coming back

    def _take(self, run: RunFolder, found: tuple[WindowState | None, str]) -> None:
        """What was read, unless another run is open by now."""
        session = self._session()
        if session is None or run != self._run:
            return
        state, problem = found
        self._may_save = True
        for frame in self._frames().values():
            frame.window().installEventFilter(self)  # a second time does nothing
        if problem:
            self._say("The saved view of this run cannot be used; it is shown afresh", problem)
        if state is None:
            return
        self._wanted = self._saved = state
        latent = session.latent
        plot = self._latent_dock()
        if plot is not None and state.plot is not None and latent is not None:
            plot.plot.set_look(state.plot)
        self._hide_docks(state.hidden_docks)
        now = session.state_now
        # What somebody has clicked meanwhile stays.
        if state.state is not None and (now is None or now.source == "epoch"):
            self._go_to(session, state.state)
        volume = self._volume_dock()
        if session.volume is not None and volume is not None and volume.layers.painted is not None:
            self._restore_views()

    def _go_to(self, session: Session, point: LatentPoint) -> None:
        latent = session.latent
        if latent is None or len(point.z) not in (0, latent.mu.shape[1]):
            return
        if point.row is not None:
            there = (latent.rows.rows == point.row).nonzero()[0]
            if len(there):
                session.pick(int(there[0]), source="last session")
        elif point.z:
            session.request_z(point.z, source="last session")

    def _hear_volume(self, _: ShownVolume) -> None:
        if self._wanted is not None:
            self._restore_views()

    def _restore_views(self) -> None:
        """Once there is a volume: its look, the camera, and the kept states."""
        wanted, self._wanted = self._wanted, None
        session, viewer, dock = self._session(), self._viewer(), self._volume_dock()
        if wanted is None or session is None or viewer is None:
            return
        if dock is not None and wanted.volume is not None:
            dock.set_look(wanted.volume)
        if wanted.camera is not None:
            camera = viewer.scene.camera
            camera.center, camera.zoom = wanted.camera.center, wanted.camera.zoom
            camera.angles = wanted.camera.angles
        latent = session.latent
        if dock is None or latent is None or not session.decodable:
            self._awaited = list(wanted.kept)
            return
        for kept in wanted.kept:
            if len(kept.z) != latent.mu.shape[1]:
                continue
            self._awaited.append(kept)
            z, pick = kept.z, None
            there = (latent.rows.rows == kept.row).nonzero()[0] if kept.row is not None else []
            if len(there):
                at = int(there[0])
                pick = Pick(at, latent.rows.at([at]), latent.mu[at])
                z = tuple(map(float, latent.mu[at]))
            session.decode_aside(z, partial(self._take_kept, self._run, kept), pick)

    def _take_kept(self, run: RunFolder | None, kept: KeptState, volume: ShownVolume) -> None:
        dock, viewer = self._volume_dock(), self._viewer()
        if run != self._run or kept not in self._awaited or dock is None or viewer is None:
            return
        # Of an earlier visit to this run in the same window: it becomes this one.
        for layer in [layer for layer in viewer.layers if layer.name == kept.name]:
            if "level" in layer.metadata:
                viewer.layers.remove(layer)
        self._awaited.remove(kept)
        dock.keep_again(kept, volume)

    def _without_volume(self, session: Session) -> bool:
        return not session.busy and session.volume is None

    # Seeing and saving

    def _seen(self, session: Session) -> WindowState:
        state, viewer = session.state_now, self._viewer()
        volume, latent = self._volume_dock(), self._latent_dock()
        camera = None
        if viewer is not None and session.volume is not None:
            now = viewer.scene.camera
            camera = Camera(center=now.center, zoom=now.zoom, angles=now.angles)
        plot = None
        if latent is not None and session.latent is not None:
            plot = latent.plot.look()
        return WindowState(
            state=None
            if state is None
            else LatentPoint(
                z=tuple(map(float, state.z)), row=None if state.pick is None else state.pick.row
            ),
            camera=camera,
            volume=None if volume is None else volume.look(),
            kept=(*self._kept(volume), *self._awaited)[-MOST_KEPT:],
            plot=plot,
            hidden_docks=tuple(name for name, frame in self._frames().items() if frame.isHidden()),
        )

    def _kept(self, dock: VolumeDock | None) -> list[KeptState]:
        pins = () if dock is None else dock.pins.pins
        return [
            KeptState(
                z=tuple(map(float, pin.newest.z)),
                row=None if pin.newest.pick is None else pin.newest.pick.row,
                name=pin.layer.name,
                colour=pin.colour,
                level=pin.level_in_sigma,
                mode="surface" if type(pin.layer).__name__ == "Surface" else "volume",
                visible=pin.layer.visible,
            )
            for pin in pins
        ]

    def _save(self, run: RunFolder, state: WindowState) -> None:
        if self._writer is not None and self._writer.is_alive():
            return  # the next look will find it changed still
        try:
            self._hold(run)
        except InputError as error:
            self._may_save = False
            self._say("What this window shows will not be remembered", str(error))
            return
        self._saved = state
        # No daemon: what was seen last is written before the program ends.
        self._writer = threading.Thread(
            target=_write,
            args=(run, state, self._gui, WeakMethod(self._complain)),
            name="save-session",
            daemon=False,
        )
        self._writer.start()

    def _hold(self, run: RunFolder) -> None:
        """Keep other windows from writing this session; they are told who does."""
        place = session_place(run)
        lock = place.with_name(f"{place.stem}.lock")
        if self._lock == lock:
            return
        owner = lock_owner(lock)
        if owner is not None and _is_stale(lock, owner):
            lock.unlink(missing_ok=True)
            owner = None
        if owner is not None:
            raise InputError(
                f"another window (process {owner.pid} on {owner.host}) keeps the view of this run",
                file=lock,
                hint="Close that window; one that was killed counts as gone after 15 minutes",
            )
        with making_folders(lock.parent):
            self._held.enter_context(training_lock(lock))
        self._lock = lock
        self._renewed = time.monotonic()

    def _renew(self) -> None:
        """Show other computers that this window still keeps the session."""
        if self._lock is not None and time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._renewed = time.monotonic()
            # Beside the window: the folder may lie on a drive that answers late.
            threading.Thread(target=_touch, args=(self._lock,), daemon=True).start()

    def _complain(self, problem: str) -> None:
        """Say once for each run that nothing can be saved."""
        if not self._complained:
            self._complained = True
            self._say("What this window shows could not be saved", problem)

    def _say(self, text: str, details: str) -> None:
        session = self._session()
        if session is not None:
            session.say(text, "warning", details)

    # The docks

    def _volume_dock(self) -> VolumeDock | None:
        return cast("VolumeDock | None", self._docks.get("VolumeDock"))

    def _latent_dock(self) -> LatentDock | None:
        return cast("LatentDock | None", self._docks.get("LatentDock"))

    def _frames(self) -> dict[str, QDockWidget]:
        frames = {name: _frame_of(dock) for name, dock in sorted(self._docks.items())}
        return {name: frame for name, frame in frames.items() if frame is not None}

    def _hide_docks(self, hidden: tuple[str, ...]) -> None:
        for name, frame in self._frames().items():
            if name in hidden:
                frame.hide()


def _write(
    run: RunFolder, state: WindowState, gui: GuiThread, complain: WeakMethod[Callable[[str], None]]
) -> None:
    """Write on a thread, which keeps no keeper alive: it would end there."""
    try:
        write_session(session_place(run), state)
    except InputError as error:
        gui.post(partial(_call_if_alive, complain, str(error)))


def _call_if_alive(method: WeakMethod[Callable[[str], None]], words: str) -> None:
    call = method()
    if call is not None:
        call(words)


_KEEPERS: WeakKeyDictionary[Session, SessionKeeper] = WeakKeyDictionary()


def session_keeper(viewer: ViewerModel, session: Session) -> SessionKeeper:
    """The keeper of a session, made when first asked for."""
    if session not in _KEEPERS:
        _KEEPERS[session] = SessionKeeper(viewer, session)
    return _KEEPERS[session]


def _frame_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _touch(lock: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(lock)


def _is_stale(lock: Path, owner: LockOwner) -> bool:
    """Whether a lock of another computer was not renewed for long: its window was killed.

    Of this computer `lock_owner` knows whether the process lives.
    """
    if owner.host == socket.gethostname():
        return False
    try:
        return time.time() - lock.stat().st_mtime > STALE_SECONDS
    except OSError:
        return False


def _reading(run: RunFolder) -> Task[tuple[WindowState | None, str]]:
    yield Progress(0, None, "Reading what was shown")
    remember_run(run.path)
    return read_session(run)
