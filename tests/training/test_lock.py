from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.training.lock import LockOwner, refuse_if_locked, training_lock


def write_lock(path: Path, owner: LockOwner) -> None:
    path.write_text(json.dumps(asdict(owner)))


def test_lock_names_this_process_and_goes_again(tmp_path: Path) -> None:
    path = tmp_path / "training.lock"
    with training_lock(path):
        content = json.loads(path.read_text())
        assert (content["pid"], content["host"]) == (os.getpid(), socket.gethostname())
        with pytest.raises(InputError, match=f"process {os.getpid()}"), training_lock(path):
            pass
        assert path.exists()
    assert not path.exists()


def test_lock_goes_when_the_training_fails(tmp_path: Path) -> None:
    path = tmp_path / "training.lock"
    with pytest.raises(ZeroDivisionError), training_lock(path):
        raise ZeroDivisionError
    assert not path.exists()


def test_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "training.lock"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    write_lock(path, replace(LockOwner.this_process(), pid=int(dead.stdout)))
    with training_lock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_later_process_of_the_same_number_does_not_hold_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "training.lock"
    now = LockOwner.this_process()
    write_lock(path, replace(now, started=now.started - 3600))
    refuse_if_locked(path)


def test_lock_of_another_computer_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "training.lock"
    write_lock(path, LockOwner(1, "another-host", 0.0))
    with pytest.raises(InputError, match="on another-host"):
        refuse_if_locked(path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_half_written_lock_does_not_count(tmp_path: Path, content: str) -> None:
    path = tmp_path / "training.lock"
    path.write_text(content)
    refuse_if_locked(path)
