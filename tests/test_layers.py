"""The layer rule of docs/architecture.md: imports go downwards only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_cryodrgn

PACKAGE = Path(napari_cryodrgn.__file__).parent
NAME = "napari_cryodrgn"
PLAIN = frozenset({"errors", "progress", "config", "particles", "run", "torch_guard"})

# What each layer may import from the package, beside the plain data and itself.
ALLOWED: dict[str, frozenset[str]] = {layer: frozenset() for layer in PLAIN}
ALLOWED["imaging"] = frozenset()
ALLOWED["io"] = frozenset({"imaging"})
ALLOWED["model"] = frozenset({"imaging", "io"})
_SIBLINGS = ("training", "latent", "decoding", "reconstruction", "simulation")
ALLOWED |= dict.fromkeys(_SIBLINGS, frozenset({"imaging", "io", "model"}))
ALLOWED["export"] = frozenset({"imaging", "io"})
_CORE = frozenset({"imaging", "io", "model", *_SIBLINGS, "export"})
ALLOWED["workflows"] = _CORE
ALLOWED["session"] = _CORE | {"workflows"}
ALLOWED["commandline"] = _CORE | {"workflows"}
ALLOWED["cli"] = _CORE | {"workflows", "commandline"}
ALLOWED["widgets"] = _CORE | {"workflows", "session"}
ALLOWED["__main__"] = frozenset({"cli"})
ALLOWED["__init__"] = frozenset()
# The package itself: its version.
ROOT = "__init__"

# Only inside a function: the command line starts the window, which is above it.
OPENERS = {("cli", "widgets")}

GUI = {"qtpy", "PySide6", "PyQt6", "PyQt5", "napari", "vispy", "pyqtgraph", "superqt", "magicgui"}
NO_TORCH = {"io", "latent", "session", "commandline", "cli", "widgets", "__init__", *PLAIN}


def layer_of(path: Path) -> str:
    """Folder of the package, or module at its top: 'io', 'cli', 'session' …"""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    # session.py may have parts of its own beside it.
    return "session" if first.startswith("session") else first


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Every module imported, whether at module level, and the line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    deferred = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in deferred, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names if node.module == NAME else ():
                yield f"{NAME}.{alias.name}", id(node) not in deferred, node.lineno
            if node.module != NAME:
                yield str(node.module), id(node) not in deferred, node.lineno


def imported_layer(module: str) -> str | None:
    """Layer of a module of ours; None for other packages."""
    if module.partition(".")[0] != NAME:
        return None
    first = module.split(".")[1] if "." in module else ROOT
    if not (PACKAGE / first).is_dir() and not (PACKAGE / f"{first}.py").is_file():
        return ROOT  # a name in the package itself, such as its version
    return "session" if first.startswith("session") else first


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards_only(path: Path) -> None:
    layer = layer_of(path)
    assert layer in ALLOWED, f"{layer} is in no layer: name it here and in docs/architecture.md"
    for module, at_module_level, line in imports(path):
        target = imported_layer(module)
        where = f"{path.name}:{line} imports {module}"
        if target is None:
            top = module.partition(".")[0]
            assert layer == "widgets" or top not in GUI, where
            if at_module_level:
                assert top != "umap", where
                assert not (top == "torch" and layer in NO_TORCH), where
            continue
        fine = target in ALLOWED[layer] | PLAIN | {layer, ROOT}
        fine |= not at_module_level and (layer, target) in OPENERS
        assert fine, where


def test_the_rule_would_notice(tmp_path: Path) -> None:
    """The check itself: an upward import and one within a function are both seen."""
    path = tmp_path / "module.py"
    path.write_text(
        "from napari_cryodrgn import session\nimport torch\n"
        "def later():\n    import umap\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import napari\n"
    )
    assert set(imports(path)) == {
        ("napari_cryodrgn.session", True, 1),
        ("torch", True, 2),
        ("umap", False, 4),
        ("typing", True, 5),
    }
    assert imported_layer("napari_cryodrgn.session_records") == "session"
    assert imported_layer("napari_cryodrgn.io.mrc") == "io"
    assert imported_layer("napari_cryodrgn.__version__") == ROOT
    assert imported_layer("numpy") is None


IMPORT_EACH = (
    "import importlib, sys\n"
    "for name in {names!r}:\n"
    "    importlib.import_module(name)\n"
    "    loaded = {{'torch', 'umap'}} & set(sys.modules)\n"
    "    assert not loaded, (name, loaded)\n"
)


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def names(*, widgets: bool) -> list[str]:
    """Names of all modules within the widgets' folder, or of all outside it."""
    found = []
    for path in modules():
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if (parts[0] == "widgets") == widgets and parts != ("__main__",):
            found.append(".".join([NAME, *(part for part in parts if part != "__init__")]))
    return found


def test_everything_outside_the_widgets_works_without_qt_and_napari() -> None:
    code = (
        "import importlib, sys\n"
        f"for blocked in {sorted(GUI)!r}:\n"
        "    sys.modules[blocked] = None\n"
        f"for name in {names(widgets=False)!r}:\n"
        "    importlib.import_module(name)\n"
    )
    run_python(code)


def test_the_quick_layers_load_neither_torch_nor_umap() -> None:
    """Also not through what they import: --help and the plugin menu open at once."""
    within = [name for name in names(widgets=False) if layer_of_name(name) in NO_TORCH]
    assert len(within) > 20
    run_python(IMPORT_EACH.format(names=within))


def layer_of_name(name: str) -> str:
    parts = name.split(".")
    first = parts[1] if len(parts) > 1 else ROOT
    return "session" if first.startswith("session") else first


def test_the_widgets_load_neither_torch_nor_umap() -> None:
    code = "import os\nos.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
    run_python(code + IMPORT_EACH.format(names=names(widgets=True)))
