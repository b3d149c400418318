"""The manifest: valid, importable, quick, and of one mind with the docks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from napari._app_model.constants._menus import MenuId, is_menu_contributable
from npe2 import PluginManifest

import napari_cryodrgn
from napari_cryodrgn.widgets.docks import CLASSES, PLUGIN_TITLE

MANIFEST = Path(napari_cryodrgn.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_every_command_can_be_imported(manifest):
    manifest.validate_imports()


def test_the_file_at_the_root_is_a_link_to_this_one():
    root = Path(__file__).parents[2] / "napari.yaml"
    # Where git makes no links, as on some Windows computers, the file names its target.
    target = root.readlink() if root.is_symlink() else Path(root.read_text())
    assert root.parent / target == MANIFEST


def test_menus_are_those_that_plugins_may_fill(manifest):
    assert manifest.contributions.menus
    known = {menu.value for menu in MenuId.contributables()}
    for menu in manifest.contributions.menus:
        assert is_menu_contributable(menu)
        assert menu in known


def test_every_command_is_reachable(manifest):
    contributions = manifest.contributions
    used = {item.command for item in (*contributions.widgets, *contributions.readers)}
    used |= {item.command for items in contributions.menus.values() for item in items}
    assert used == {command.id for command in contributions.commands}


def test_docks_have_the_names_and_classes_of_the_manifest(manifest):
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    listed = {
        widget.display_name: commands[widget.command].removeprefix("napari_cryodrgn.widgets.")
        for widget in manifest.contributions.widgets
    }
    assert listed.items() >= CLASSES.items()
    assert manifest.display_name == PLUGIN_TITLE


def test_samples_are_addresses_that_our_reader_takes(manifest):
    from napari_cryodrgn.widgets.samples import OPENERS

    assert {sample.uri for sample in manifest.contributions.sample_data} == set(OPENERS)


def test_opening_the_menu_loads_neither_torch_nor_umap():
    """Everything that the menu and the readers import, in a process of its own."""
    program = f"""
import sys
from npe2 import PluginManifest
manifest = PluginManifest.from_file({str(MANIFEST)!r})
for command in manifest.contributions.commands:
    command_object = command.python_name.partition(":")
    __import__(command_object[0])
import napari_cryodrgn.widgets.samples, napari_cryodrgn.widgets.window
heavy = {{"torch", "umap", "numba", "sklearn"}} & set(sys.modules)
sys.exit(f"loaded: {{heavy}}" if {{"torch", "umap"}} & heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=MANIFEST.parents[1],
    )
    assert done.returncode == 0, done.stderr
