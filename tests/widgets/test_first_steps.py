"""What an empty window offers, and what all docks share: keys, messages, the list of tasks."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import QApplication

import napari_cryodrgn
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets import platform_warning, recent_runs, task_list
from napari_cryodrgn.widgets.advice import advice_for, split_advice
from napari_cryodrgn.widgets.docks import LATENT, PARTICLES, find_dock, open_all, open_dock
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.shortcuts import HelpKey, ShortcutsDialog, groups, show_shortcuts
from napari_cryodrgn.widgets.task_list import TaskButton
from napari_cryodrgn.widgets.tasks import failure_of, start_task
from napari_cryodrgn.widgets.unexpected import UnexpectedDialog, watch_unexpected
from napari_cryodrgn.widgets.window_words import input_message
from napari_cryodrgn.workflows.window_guards import binding_problem


def test_runs_opened_last_come_first_and_once(tmp_path):
    runs = [tmp_path / name for name in "abc"]
    for run in runs:
        run.mkdir()
        recent_runs.remember_run(run)
    recent_runs.remember_run(runs[0])
    assert recent_runs.recent_runs()[:3] == [runs[0], runs[2], runs[1]]
    runs[2].rmdir()
    assert runs[2] not in recent_runs.recent_runs()


@pytest.mark.parametrize("content", ["", "{}", "[1, null]", '["a\\u0000b"]', "[" * 20_000])
def test_a_damaged_list_of_runs_is_an_empty_one(content, monkeypatch, tmp_path):
    file = tmp_path / "recent.json"
    monkeypatch.setattr(recent_runs, "recent_file", lambda: file)
    file.write_text(content)
    assert recent_runs.recent_runs() == []
    recent_runs.remember_run(tmp_path)
    assert json.loads(file.read_text()) == [str(tmp_path)]


@pytest.mark.gui
def test_an_empty_window_leads_to_a_run_or_to_particles(
    viewer, qtbot, settle, small_run, monkeypatch
):
    recent_runs.remember_run(small_run.path)
    dock = open_dock(viewer, LATENT)
    page = dock.start_page
    settle(lambda: page.isVisible() and bool(page.recent_buttons))
    asked = []
    monkeypatch.setattr(
        "napari_cryodrgn.widgets.particles_dock.QFileDialog.getOpenFileName",
        lambda *_: asked.append(True) or ("", ""),
    )
    page.particles_button.click()
    assert find_dock(viewer, PARTICLES) is not None
    assert asked == [True]
    page.recent_buttons[0].click()
    settle(lambda: dock.session.run is not None)
    assert dock.session.run.folder.path == small_run.path
    assert not page.isVisible()


@pytest.mark.gui
def test_the_page_of_keys_lists_all_that_is_bound(viewer, settle):
    docks = open_all(viewer)
    window = docks[LATENT].window()
    found = groups(window)
    assert {"Latent space", "Explore", "Selections"} <= set(found)
    bound = [each for dock in docks.values() for each in dock.findChildren(QShortcut)]
    assert bound
    assert all(shortcut.whatsThis() for shortcut in bound)
    letters = {keys for keys, _ in found["Latent space"]}
    assert {tool.key for tool in docks[LATENT].tools.tools.values()} <= letters
    assert all(does for rows in found.values() for _, does in rows)
    dialog = show_shortcuts(docks[LATENT])
    assert "Ctrl+Z" in dialog.text.toPlainText()
    dialog.close()
    settle(lambda: bool(window.findChildren(HelpKey)))
    helps = window.findChildren(HelpKey)
    assert len(helps) == 1
    helps[0].activated.emit()
    (dialog,) = window.findChildren(ShortcutsDialog)
    dialog.close()


def test_widgets_that_take_keys_say_which():
    silent = []
    for path in (Path(napari_cryodrgn.__file__).parent / "widgets").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                names = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
                text = ast.unparse(node)
                if "keyPressEvent" in names and "keys_help =" not in text:
                    silent.append(node.name)
    assert silent == []


def test_a_message_says_what_to_do():
    error = InputError("it cannot be read", file="particles.star", hint="Copy it again")
    assert split_advice(input_message(error)[0])[1] == "Copy it again"
    # Without a hint of its own, what the documentation says of it.
    words = split_advice(input_message(InputError("this image file was not found"))[0])
    assert words[0] == "this image file was not found"
    assert "folder of the images" in words[1]
    assert advice_for("nobody has ever said this") == ""
    full = failure_of(OSError(28, "No space left on device", "z.3.pkl"))
    assert full.message.startswith("z.3.pkl: No space left on device\nWhat to do: Free some space")


@pytest.mark.gui
def test_a_notice_folds_its_details_and_copies_them(qtbot):
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.say("It failed\nWhat to do: Try again", "error", "Traceback")
    bar.show()
    assert not bar._details.isVisible()
    assert bar._text.text() == "It failed"
    bar._fold.click()
    assert bar._details.isVisible()
    bar.copy_button.click()
    assert QApplication.clipboard().text() == "It failed\nWhat to do: Try again\n\nTraceback"


@pytest.mark.gui
def test_an_unforeseen_error_of_ours_is_told_in_words(qtbot, settle):
    watch_unexpected()
    others = []

    def dialogs():
        windows = QApplication.topLevelWidgets()
        return [each for each in windows if isinstance(each, UnexpectedDialog) and each.isVisible()]

    notification_manager.notification_ready.connect(others.append)
    try:
        for number in range(2):
            with pytest.raises(AttributeError) as caught:
                split_advice(number)
            notification_manager.receive_error(AttributeError, caught.value, caught.tb)
        with pytest.raises(ZeroDivisionError) as caught:
            _ = 1 / 0
        notification_manager.receive_error(ZeroDivisionError, caught.value, caught.tb)
    finally:
        notification_manager.notification_ready.disconnect(others.append)
    settle(lambda: bool(dialogs()) and len(dialogs()[0].failures) == 2)
    (dialog,) = dialogs()
    assert [type(each.exception) for each in others] == [ZeroDivisionError]  # napari's to show
    assert "not foreseen" in dialog.notice.text()
    assert "Traceback" not in dialog.notice.text()
    assert dialog.notice.notice.details.count("Traceback") == 2
    assert "1 more" in dialog.more.text()
    dialog.close_button.click()
    assert not dialogs()


@pytest.mark.gui
def test_long_tasks_are_listed_in_one_place_and_cancelled_there(viewer, qtbot, settle, monkeypatch):
    monkeypatch.setattr(task_list, "LONG_SECONDS", 0.05)
    dock = open_dock(viewer, LATENT)
    settle(lambda: bool(dock.window().findChildren(TaskButton)))
    (button,) = dock.window().findChildren(TaskButton)

    def endless():
        while True:
            time.sleep(0.02)
            yield Progress(2, 8, "Counting", 90.0)

    handle = dock.own(start_task(endless, "Counting sheep"))
    settle(lambda: button.isVisible() and "25 %" in button.text())
    assert "1 min 30 s left" in button.text()
    button.click()
    assert button.list.isVisible()
    button.list.bars[handle].cancel_button.click()
    settle(lambda: not handle.running)
    settle(lambda: not button.isVisible() and not button.list.isVisible())


@pytest.mark.gui
def test_what_ends_or_blinds_a_window_is_said_in_the_first_dock(monkeypatch, settle):
    monkeypatch.setattr(platform_warning, "_TOLD", [])
    monkeypatch.setattr(platform_warning, "has_opengl", lambda: False)
    monkeypatch.setattr(platform_warning, "API_NAME", "PySide6")
    monkeypatch.setattr(
        platform_warning, "binding_problem", lambda: binding_problem(lambda name: "6.12.0", (3, 11))
    )
    session, said = Session(), []
    session.message.connect(said.append)
    platform_warning.warn_once(session)
    platform_warning.warn_once(session)
    settle(lambda: len(said) == 2)
    parts = [split_advice(notice.text) for notice in said]
    assert "PySide6 6.12.0 ends napari" in parts[0][0]
    assert "PySide6!=6.12.0" in parts[0][1]
    assert "OpenGL does not work here" in parts[1][0]
    assert "VNC" in parts[1][1]
