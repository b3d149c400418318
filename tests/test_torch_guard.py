"""triton is kept out of a process exactly where it would crash it."""

from __future__ import annotations

import importlib
import sys
import types

import pytest

from napari_cryodrgn.torch_guard import keep_triton_out

WITH_LLVM = "7f00-7f01 r-xp 0 08:01 7 /usr/lib/x86_64-linux-gnu/libLLVM-15.so.1\n"
WITHOUT = "7f00-7f01 r-xp 0 08:01 7 /usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0\n"


@pytest.fixture
def maps(tmp_path):
    return tmp_path / "maps"


@pytest.fixture
def triton(tmp_path, monkeypatch):
    """An importable package of that name that has not been imported."""
    (tmp_path / "triton.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("triton", None)


@pytest.mark.usefixtures("triton")
def test_software_opengl_keeps_triton_out(maps):
    maps.write_text(WITHOUT + WITH_LLVM)
    assert keep_triton_out(maps)
    with pytest.raises(ImportError):
        importlib.import_module("triton")
    assert keep_triton_out(maps)


@pytest.mark.usefixtures("triton")
def test_other_opengl_leaves_it(maps):
    maps.write_text(WITHOUT)
    assert not keep_triton_out(maps)
    importlib.import_module("triton")


@pytest.mark.usefixtures("triton")
def test_systems_without_memory_maps_leave_it(maps):
    assert not keep_triton_out(maps)


def test_an_imported_triton_stays(maps, monkeypatch):
    maps.write_text(WITH_LLVM)
    imported = types.ModuleType("triton")
    monkeypatch.setitem(sys.modules, "triton", imported)
    assert not keep_triton_out(maps)
    assert sys.modules["triton"] is imported


def test_nothing_is_done_where_triton_is_not_installed(maps, monkeypatch):
    maps.write_text(WITH_LLVM)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not keep_triton_out(maps)
    assert "triton" not in sys.modules
