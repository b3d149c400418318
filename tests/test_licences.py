"""Licences of all that the base and its extras bring: permissive, or listed with the reason.

Looked at are the metadata of each package and the licence files within it, for a wheel may hold
parts that its metadata do not tell of. What the tools of development and of the documentation
bring is not looked at: it is not installed with the package.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from .declared_packages import EXTRAS, ROOT, direct, installed_closure

PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip

WORDS = {
    r"BSD": "BSD-3-Clause",
    r"Apache": "Apache-2.0",
    r"MIT\b": "MIT",
    r"ISC\b": "ISC",
    r"Mozilla Public|MPL": "MPL-2.0",
    r"Lesser General|LGPL": "LGPL-3.0-only",
    r"Affero|AGPL": "AGPL-3.0-only",
    r"General Public|\bGPL": "GPL-3.0-only",
}
"""How packages without an SPDX expression name their licence, in the order of asking."""

WEAK = {
    "certifi": ("MPL-2.0", "a list of certificates, used as it is"),
    "gemmi": ("MPL-2.0", "used as it is; its own files alone are under the MPL"),
    "tqdm": ("MPL-2.0", "used as it is; its own files alone are under the MPL"),
    "pyside6": ("LGPL-3.0-only", "Python loads it at run time, and any other binding will do"),
    "pyside6-addons": ("LGPL-3.0-only", "as PySide6; its modules under the GPL are not loaded"),
    "pyside6-essentials": ("LGPL-3.0-only", "as PySide6"),
    "shiboken6": ("LGPL-3.0-only", "as PySide6"),
}
"""Packages that are not permissive through and through, and why each may be used."""

GPL_WITHIN = {
    "debugpy": "tells the history of Python's licence",
    "gemmi": "the MPL names the GPL as a licence that its files may be taken under as well",
    "imageio-ffmpeg": "a program, ffmpeg, which is run and not linked; see docs/install.md",
    "lxml": "of a test program that is not in the wheel",
    "numba": "tells the history of Python's licence",
    "numpy": "GCC's runtime libraries, with the exception for programs that GCC compiled",
    "pandas": "tells the history of Python's licence",
    "pillow": "FreeType, which may be taken under its own licence instead",
    "pyopengl": "GLE on Windows, which may be taken under IBM's permissive licence instead",
    "pyzmq": "the MPL names the GPL as a licence that its files may be taken under as well",
    "scikit-learn": "GCC's runtime libraries, with the exception for programs that GCC compiled",
    "scipy": "GCC's runtime libraries, with the exception for programs that GCC compiled",
    "setuptools": "a module under the LGPL, whose text quotes the GPL; not imported here",
    "torch": "a test of a part that is not in the wheel",
    "typing-extensions": "tells the history of Python's licence",
}
"""Packages in whose licence files the GPL is named, and what it is of."""

OF_NVIDIA = ("nvidia-", "cuda-")
"""PyTorch's builds for CUDA bring these, under NVIDIA's own terms, which docs/install.md says."""

QT_MODULES = {"QtCore", "QtGui", "QtWidgets", "QtOpenGL", "QtOpenGLWidgets", "QtSvg", "QtTest"}
"""Modules of Qt under the LGPL that may be imported; others, QtCharts say, are GPL alone."""


@functools.cache
def brought() -> list[str]:
    """Everything that the base and all extras bring here."""
    try:
        names = installed_closure(direct(*EXTRAS))
    except importlib.metadata.PackageNotFoundError as missing:
        pytest.skip(f"not all extras are installed here: {missing}")
    return sorted(name for name in names if not name.startswith(OF_NVIDIA))


def spdx(words: str) -> str:
    """The licence that is meant by words in metadata or a licence file; "" for none known."""
    return next((name for pattern, name in WORDS.items() if re.search(pattern, words)), "")


def licence_files(name: str) -> list[Path]:
    """Texts of licences within a package, also of the parts that it holds."""
    return [
        Path(str(each.locate()))
        for each in importlib.metadata.files(name) or []
        if re.search(r"licen[cs]e|copying|notice", each.name, re.I)
        and each.suffix.lower() not in (".py", ".pyc", ".pyi")
    ]


def licence(name: str) -> str:
    """A package's licence as an SPDX expression: of its metadata, or else of its text."""
    metadata = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return str(expression)
    stated = str(metadata.get("License") or "").strip()
    if re.search(r" (OR|AND) ", stated) and "\n" not in stated:
        return stated
    classifiers = [
        line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in licence_files(name)]
    return next(filter(None, map(spdx, [*classifiers, stated, *texts])), "")


def objections(expression: str) -> set[str]:
    """Parts of an expression that are not permissive, of the choice that has the fewest.

    Expressions with brackets do not occur, and would be objected to.
    """
    choices = [
        {part.strip() for part in re.split(r"\bAND\b", choice)} - PERMISSIVE
        for choice in re.split(r"\bOR\b", expression)
    ]
    return min(choices, key=lambda left: (len(left), any("GPL" in part for part in left)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", set()),
        ("BSD-3-Clause AND MIT", set()),
        ("GPL-3.0-only", {"GPL-3.0-only"}),
        ("MIT AND GPL-2.0-or-later", {"GPL-2.0-or-later"}),
        ("GPL-2.0-only OR Apache-2.0", set()),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", {"LGPL-3.0-only"}),
        ("", {""}),
        (
            spdx("License :: OSI Approved :: GNU General Public License v3 (GPLv3)"),
            {"GPL-3.0-only"},
        ),
        (
            spdx("License :: OSI Approved :: GNU Affero General Public License v3"),
            {"AGPL-3.0-only"},
        ),
        (spdx("GNU Lesser General Public License v3 (LGPLv3)"), {"LGPL-3.0-only"}),
        (spdx("License :: OSI Approved :: BSD License"), set()),
        (spdx("as you like"), {""}),
    ],
)
def test_the_check_tells_licences_apart(expression: str, expected: set[str]) -> None:
    assert objections(expression) == expected


def test_everything_is_permissive_or_listed_with_the_reason() -> None:
    found = {name: objections(licence(name)) for name in brought()}
    left = {name: parts for name, parts in found.items() if parts}
    assert {name: parts for name, parts in left.items() if parts != {WEAK.get(name, [""])[0]}} == {}
    assert set(WEAK) - set(left) == set(), "listed, and not brought any more"
    assert not [name for name, (allowed, _) in WEAK.items() if spdx(allowed).startswith("GPL")]


def test_parts_of_packages_under_the_gpl_are_known() -> None:
    whole = re.compile(r"(?<!lesser )general public license", re.I)
    found = {
        name
        for name in brought()
        for path in licence_files(name)
        if whole.search(" ".join(path.read_text(encoding="utf-8", errors="replace").split()))
    }
    assert found - set(GPL_WITHIN) == set()


def test_the_ffmpeg_that_writes_movies_is_described_as_what_it_is() -> None:
    """It is a program of its own, which is started; nothing of it is loaded into this one."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    program = imageio_ffmpeg.get_ffmpeg_exe()
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert "--enable-gpl" not in said or "so under the GPL" in page
    declared = {canonicalize_name(each.name) for each in direct(*EXTRAS)}
    assert declared & {"av", "opencv-python", "opencv-python-headless", "ffmpeg-python"} == set()


def test_no_module_of_qt_under_the_gpl_is_imported() -> None:
    imported = set()
    for path in (ROOT / "napari_cryodrgn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            elif isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            else:
                continue
            imported |= {match[1] for name in names if (match := re.match(r"qtpy\.(Qt\w+)", name))}
    assert imported
    assert imported <= QT_MODULES
