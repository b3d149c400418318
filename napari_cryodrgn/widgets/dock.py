"""What all our docks have in common: a viewer, its session, and an orderly end.

The close button of a dock, and the end of the viewer, send no ``closeEvent``:
the first only takes the widget's parent away, the second destroys it. Both
lead to `SessionDock.shutdown` or, where the widget is gone already, to the
same list of things to undo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import SignalInstance
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.own_context import delete_in_own_context
from napari_cryodrgn.widgets.platform_warning import warn_once
from napari_cryodrgn.widgets.session_keeper import session_keeper
from napari_cryodrgn.widgets.sessions import real_viewer, session_for
from napari_cryodrgn.widgets.tasks import TaskHandle
from napari_cryodrgn.widgets.unexpected import watch_unexpected

if TYPE_CHECKING:
    from napari.components import ViewerModel


class _Ending:
    """What to undo when a dock ends. Knows no widget, for that may be gone by then."""

    def __init__(self) -> None:
        self.undo: list[Callable[[], object]] = []
        self.tasks: list[TaskHandle] = []

    def come(self, *_: object) -> None:
        """Cancel the tasks, wait for them, undo the rest; a second time does nothing."""
        tasks = [task for task in self.tasks if task.running]
        self.tasks = []
        undo, self.undo = self.undo, []
        for task in tasks:
            task.blockSignals(True)  # a result that is on its way finds no widgets any more
            task.cancel()
        for task in tasks:
            task.wait()
        for call in reversed(undo):
            call()


class SessionDock(QWidget):
    """Base of the docks.

    Parameters
    ----------
    napari_viewer : napari viewer
        As npe2 hands it over.
    session : Session, optional
        The viewer's own if not given.
    """

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__()
        self.viewer = real_viewer(napari_viewer)
        self.session = session_for(napari_viewer) if session is None else session
        self._ending = _Ending()
        self.session.join(self)
        keeper = session_keeper(self.viewer, self.session)
        keeper.join(self)
        self._ending.undo.append(partial(keeper.leave, type(self).__name__, id(self)))
        self._ending.undo.append(partial(self.session.leave, id(self)))
        self.destroyed.connect(self._ending.come)
        delete_in_own_context(self.viewer)
        watch_unexpected()
        warn_once(self.session)

    def listen(self, signal: SignalInstance, slot: Callable[..., Any]) -> None:
        """Call a method of this dock on a signal of the session, until the dock ends."""
        signal.connect(slot)
        self.at_end(partial(_disconnect, signal, slot))

    def at_end(self, call: Callable[[], object]) -> None:
        """Call this when the dock ends; it must not touch the dock's widgets."""
        self._ending.undo.append(call)

    def own(self, task: TaskHandle) -> TaskHandle:
        """Stop this task and wait for it when the dock ends."""
        self._ending.tasks = [*(old for old in self._ending.tasks if old.running), task]
        return task

    def shutdown(self) -> None:
        """End everything that this dock has begun; the widget may stay or go."""
        self._ending.come()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt
        """Give the window what all docks share: the page of keys, and the list of tasks."""
        super().showEvent(event)
        # Late: they know docks.
        from napari_cryodrgn.widgets.docks import let_shrink
        from napari_cryodrgn.widgets.shortcuts import offer_help
        from napari_cryodrgn.widgets.task_list import show_tasks_in

        let_shrink(self)
        offer_help(self.window())
        show_tasks_in(self.window())

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt
        """Find out whether the dock was closed for good, or is merely behind another tab."""
        super().hideEvent(event)
        # Weakly: a viewer that closes leaves no event loop to call this and let go of it.
        QTimer.singleShot(0, partial(_shut_down_if_orphan, ref(self)))


def _shut_down_if_orphan(weak: ref[SessionDock]) -> None:
    dock = weak()
    if dock is None:
        return
    try:
        orphan = dock.parent() is None
    except RuntimeError:  # destroyed meanwhile, which has ended it
        return
    if orphan:
        dock.shutdown()
        dock.deleteLater()  # napari builds a new one when it is opened again


def _disconnect(signal: SignalInstance, slot: Callable[..., Any]) -> None:
    signal.disconnect(slot, missing_ok=True)
