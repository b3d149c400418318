"""What a window shows of a run is saved as one works, and comes back; no file keeps it shut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import (
    SET_ASIDE,
    LatentPoint,
    WindowState,
    read_session,
    write_session,
)
from napari_cryodrgn.training.lock import LockOwner, lock_owner
from napari_cryodrgn.widgets.docks import LATENT, VOLUME, open_dock
from napari_cryodrgn.widgets.opening import open_run_in
from napari_cryodrgn.widgets.session_keeper import session_keeper
from napari_cryodrgn.widgets.sessions import session_for


@pytest.fixture
def open_until_shown(viewer, settle):
    """Opens a run and waits until its volume is painted and its session read."""
    viewer.window.resize(800, 600)  # painted in software: every pixel costs

    def open_(path):
        volume, latent = open_dock(viewer, VOLUME), open_dock(viewer, LATENT)
        session = session_for(viewer)
        keeper = session_keeper(viewer, session)
        open_run_in(session, path)
        settle(lambda: session.run is not None and session.run.folder.path == path)
        settle(lambda: keeper._may_save and keeper._wanted is None and not session.busy)
        settle(lambda: latent.plot.picture is not None and volume.layers.painted is not None)
        keeper.look()
        return volume, latent, session, keeper

    return open_


@pytest.mark.gui
def test_view_comes_back_and_opening_alone_writes_nothing(
    viewer, open_until_shown, settle, small_run
):
    volume, latent, session, keeper = open_until_shown(small_run.path)
    keeper.look()
    assert not small_run.session.exists()
    session.pick(17)
    settle(lambda: not session.busy)
    volume.keep()
    volume.layers.set_level(session.scale.density(1.25))
    volume.layers.set_colour("#aa3355")
    latent.plot.choose_view("PCA")
    latent.plot.choose_colour("z1")
    viewer.scene.camera.angles = (10, 20, 30)
    viewer.scene.camera.zoom = 3.5
    settle(lambda: latent.plot.picture.choice.colour == "z1")
    keeper.look()
    keeper.flush()
    saved, problem = read_session(small_run)
    assert not problem
    assert saved.state.row == 17
    assert [kept.row for kept in saved.kept] == [17]
    session.set_run(None)
    assert not small_run.session_lock.exists()
    viewer.scene.camera.zoom = 1
    volume.layers.set_colour("#000000")
    open_until_shown(small_run.path)
    settle(lambda: session.pick_now is not None and session.pick_now.position == 17)
    settle(lambda: len(volume.pins.pins) == 1)
    assert volume.look().level == pytest.approx(1.25, abs=1e-4)
    assert volume.layers.colour == "#aa3355"
    assert viewer.scene.camera.zoom == 3.5
    assert viewer.scene.camera.angles == pytest.approx((10, 20, 30))
    assert latent.plot.choices.names == ("PC1", "PC2")
    assert latent.plot.choices.colour == "z1"


@pytest.mark.gui
def test_a_second_window_does_not_overwrite_and_damage_is_set_aside(
    viewer, open_until_shown, settle, small_run
):
    session = session_for(viewer)
    small_run.own.mkdir(exist_ok=True)
    small_run.session.write_text("{not json")
    said = []
    session.message.connect(said.append)
    *_, keeper = open_until_shown(small_run.path)
    assert (small_run.own / SET_ASIDE).read_text() == "{not json"
    assert [notice.kind for notice in said] == ["warning"]
    # The lock of a process that lives.
    small_run.session_lock.write_text(json.dumps(asdict(LockOwner.this_process())))
    session.pick(3)
    settle(lambda: not session.busy)
    keeper.look()
    keeper.flush()
    assert not small_run.session.exists()
    assert "not be remembered" in said[-1].text


KILLED_WINDOW = """
import sys
import napari
from qtpy.QtCore import QTimer
from napari_cryodrgn.widgets.docks import LATENT, VOLUME, open_dock
from napari_cryodrgn.widgets.opening import open_run_in
from napari_cryodrgn.widgets.session_keeper import session_keeper
from napari_cryodrgn.widgets.sessions import session_for

viewer = napari.Viewer()
viewer.window.resize(700, 500)
for name in (VOLUME, LATENT):
    open_dock(viewer, name)
session = session_for(viewer)
keeper = session_keeper(viewer, session)
open_run_in(session, sys.argv[1])

def pick_once_opened():
    if keeper._saved is None or session.busy:
        QTimer.singleShot(50, pick_once_opened)
    else:
        session.pick(17)
        print("picked", keeper._timer.interval(), flush=True)

pick_once_opened()
napari.run()
"""


@pytest.mark.gui
def test_a_killed_window_loses_a_few_seconds_at_most(small_run, tmp_path):
    home = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    window = subprocess.Popen(
        [sys.executable, "-c", KILLED_WINDOW, str(small_run.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **home},
    )
    try:
        said = window.stdout.readline().split()
        assert said[0] == "picked"
        # It looks at itself so often, and nothing but its own clock makes it write.
        assert int(said[1]) <= 5_000
        end = time.monotonic() + 60
        while not small_run.session.exists() and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        window.kill()  # SIGKILL: it writes nothing more
        window.communicate()
    state, problem = read_session(small_run)
    assert not problem
    assert state.state.row == 17
    # What it left behind keeps nobody from going on.
    assert lock_owner(small_run.session_lock) is None


@pytest.mark.gui
@pytest.mark.parametrize(("minutes", "taken"), [(1, False), (60, True)])
def test_a_lock_that_another_computer_left_behind_is_taken_over(viewer, small_run, minutes, taken):
    session = session_for(viewer)
    keeper = session_keeper(viewer, session)
    small_run.own.mkdir(exist_ok=True)
    owner = replace(LockOwner.this_process(), host="another-computer")
    small_run.session_lock.write_text(json.dumps(asdict(owner)))
    then = time.time() - 60 * minutes
    os.utime(small_run.session_lock, (then, then))
    if not taken:
        with pytest.raises(InputError, match="on another-computer"):
            keeper._hold(small_run)
        return
    keeper._hold(small_run)
    assert lock_owner(small_run.session_lock) == LockOwner.this_process()
    keeper._let_go()
    assert not small_run.session_lock.exists()


def test_round_trip(tmp_path):
    run = RunFolder(tmp_path)
    state = WindowState(state=LatentPoint(z=(0.5, -1.0), row=4))
    write_session(run.session, state)
    assert read_session(run) == (state, "")


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(list(WindowState.model_fields)), inner, max_size=4
                )
            ),
            max_leaves=6,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_file_raises(tmp_path_factory, content):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    run.own.mkdir()
    run.session.write_bytes(content)
    state, problem = read_session(run)
    assert (state is None) == bool(problem)
    assert (run.own / SET_ASIDE).exists() == bool(problem)
