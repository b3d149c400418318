"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "config.yaml"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="in the middle"), replacing(target) as file:
        file.write(b"half of the ne")
        raise RuntimeError("in the middle")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def no_space(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InputError, match=r"new\.txt: there is no space left"):
        write_text(tmp_path / "new.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="the folder does not exist"):
        write_text(tmp_path / "absent" / "new.txt", "text")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_gets_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write_text(tmp_path / "new.txt", "text")
    assert (tmp_path / "new.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode
