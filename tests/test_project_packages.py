"""What the project asks to be installed: declared, and all of it pinned."""

from __future__ import annotations

import ast
import importlib.metadata
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .declared_packages import EXTRAS, ROOT, direct, installed_closure, pins

QT_BINDINGS = {"pyside6", "pyqt6", "pyqt5", "pyside2"}


def test_every_direct_dependency_is_pinned_within_its_bounds() -> None:
    pinned = pins()
    wrong = []
    for requirement in direct(*EXTRAS, dev=True):
        pin = pinned.get(canonicalize_name(requirement.name))
        if pin is None:
            wrong.append(f"{requirement.name}: no pin")
            continue
        (version,) = (specifier.version for specifier in pin.specifier)
        if not requirement.specifier.contains(Version(version)):
            wrong.append(f"{requirement}: pinned to {version}")
    assert not wrong


def test_pins_are_exact_and_in_order() -> None:
    pinned = pins()
    assert [
        name for name, pin in pinned.items() if [s.operator for s in pin.specifier] != ["=="]
    ] == []
    assert list(pinned) == sorted(pinned)


def test_everything_that_dependencies_bring_is_pinned() -> None:
    try:
        brought = installed_closure(direct(*EXTRAS, dev=True))
    except importlib.metadata.PackageNotFoundError as missing:
        pytest.skip(f"not all extras are installed here: {missing}")
    # PyTorch's builds for CUDA pin these themselves, each build its own.
    brought = {name for name in brought if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert brought - set(pins()) == set()


def test_the_base_leaves_the_qt_binding_to_the_user() -> None:
    assert installed_closure(direct("movies", "simulate", "slurm")) & QT_BINDINGS == set()


def test_the_extra_with_qt_is_not_gpl() -> None:
    names = {canonicalize_name(each.name) for each in map(Requirement, EXTRAS["all"])}
    extras = set().union(*(each.extras for each in map(Requirement, EXTRAS["all"])))
    assert "pyside6" in extras | names
    assert not {"all", "pyqt", "pyqt6", "pyqt5", "qt"} & extras, "PyQt is GPL"
    pin = pins()["pyside6"]
    assert not pin.specifier.contains("6.12.0"), "PySide6 6.12.0 aborts on Python 3.11"


def test_everything_imported_is_a_declared_dependency() -> None:
    imported = set()
    for path in (ROOT / "napari_cryodrgn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    others = imported - sys.stdlib_module_names - {"napari_cryodrgn"}
    others -= {"pydantic_core", "annotated_types"}  # what pydantic itself is made of
    packages = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(each.name) for each in direct(*EXTRAS)}
    brought_by_name = {
        name: {canonicalize_name(d) for d in packages.get(name, [])} for name in others
    }
    assert {name for name, by in brought_by_name.items() if not by & declared} == set()
