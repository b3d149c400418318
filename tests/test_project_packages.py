"""What the project asks to be installed: all of it pinned, none of it GPL."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
QT_BINDINGS = {"pyside6", "pyqt6", "pyqt5", "pyside2"}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in requirements}


def direct(*extras: str, dev: bool = False) -> list[Requirement]:
    lines = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        lines += EXTRAS[extra]
    if dev:
        lines += PROJECT["dependency-groups"]["dev"]
    return [Requirement(line) for line in lines]


def installed_closure(requirements: list[Requirement]) -> set[str]:
    """Names of the packages that the requirements bring on this system, themselves included."""
    waiting = [(each, "") for each in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = importlib.metadata.requires(name) or []
                waiting += [(Requirement(line), extra) for line in needs]
    return {name for name, _ in seen}


def licences(name: str) -> list[str]:
    """What a package's metadata says of its licence, most reliable first and alone."""
    metadata = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return [expression]
    classifiers = metadata.get_all("Classifier") or []
    if stated := [line for line in classifiers if line.startswith("License ::")]:
        return stated
    return [(metadata.get("License") or "").strip().split("\n")[0]]


def is_gpl(licence: str) -> bool:
    """Whether a licence is the GPL or AGPL and nothing else is offered; the LGPL is neither."""
    choices = re.split(r"\bOR\b", licence)
    pattern = r"(?<!L)\bA?GPL|(?<!Lesser )General Public License"
    return all(re.search(pattern, re.sub(r"\bLGPL\S*", "", choice)) for choice in choices)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", False),
        ("BSD-3-Clause AND MIT", False),
    ],
)
def test_licence_check_tells_gpl_from_lgpl(licence: str, expected: bool) -> None:
    assert is_gpl(licence) is expected


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


def test_no_gpl_package_comes_with_the_base_or_its_extras() -> None:
    brought = installed_closure(direct("movies", "simulate", "slurm"))
    gpl = {name: licences(name) for name in brought if any(map(is_gpl, licences(name)))}
    assert gpl == {}
    assert brought & QT_BINDINGS == set(), "the base must leave the Qt binding to the user"


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
