"""What dropping a file or folder on napari does."""

from __future__ import annotations

import os

import numpy as np
import pytest
from napari.layers import Layer

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume, write_stack, write_volume
from napari_cryodrgn.io.mrc_header import read_header
from napari_cryodrgn.widgets.docks import LATENT, PARTICLES, VOLUME, find_dock
from napari_cryodrgn.widgets.image_layers import LazyImages
from napari_cryodrgn.widgets.readers import (
    is_image_stack,
    is_run_folder,
    lists_stacks,
    mrc_reader,
    open_mrc,
    particles_reader,
    run_reader,
    sample_reader,
)
from napari_cryodrgn.widgets.sessions import session_for

pytestmark = pytest.mark.gui

NAME = "napari-cryodrgn"


def test_a_run_folder_opens_in_the_docks(viewer, small_run, settle):
    assert viewer.open(small_run.path, plugin=NAME) == []
    session = session_for(viewer)
    settle(lambda: session.run is not None)
    assert session.run.folder.path == small_run.path
    assert find_dock(viewer, LATENT) is not None
    assert find_dock(viewer, VOLUME) is not None
    settle(lambda: session.volume is not None)


def test_a_folder_that_is_no_run_is_left_to_others(viewer, tmp_path):
    (tmp_path / "config.yaml").write_text("learning_rate: 0.1\n")
    (tmp_path / "picture.png").write_bytes(b"")
    assert run_reader(str(tmp_path)) is None
    with pytest.raises(ValueError, match="refused"):
        viewer.open(tmp_path, plugin=NAME)
    assert not viewer.window.dock_widgets


def test_runs_are_known_by_any_of_their_files(tmp_path, small_run, data_folder):
    assert is_run_folder(small_run.path)
    assert is_run_folder(data_folder / "cftr-cryodrgn-demo" / "train")
    assert is_run_folder(data_folder / "cftr-cryodrgn-demo" / "J1442_real")
    assert not is_run_folder(tmp_path / "missing")
    (tmp_path / "z.3.pkl").write_bytes(b"")
    assert is_run_folder(tmp_path)


def test_a_star_file_opens_in_the_particles_dock(viewer, tiny_set, settle):
    assert viewer.open(tiny_set / "particles.star", plugin=NAME) == []
    settle(lambda: session_for(viewer).particles is not None)
    assert find_dock(viewer, PARTICLES).files.path == tiny_set / "particles.star"


def test_a_stack_becomes_a_layer_and_a_particle_set(viewer, tiny_set, settle):
    (layer,) = viewer.open(tiny_set / "particles.mrcs", plugin=NAME)
    assert isinstance(layer.data, LazyImages)
    assert layer.data.shape == (64, 16, 16)
    np.testing.assert_allclose(layer.scale, [1, 16, 16])
    settle(lambda: session_for(viewer).particles is not None)
    assert find_dock(viewer, PARTICLES).files.path == tiny_set / "particles.mrcs"


def test_a_stack_that_cannot_be_trained_on_can_still_be_seen(viewer, tmp_path, rng):
    images = rng.normal(size=(4, 15, 15)).astype(np.float32)
    write_stack(tmp_path / "odd.mrcs", images, 2.0)
    (layer,) = viewer.open(tmp_path / "odd.mrcs", plugin=NAME)
    np.testing.assert_array_equal(np.asarray(layer.data), images)
    assert find_dock(viewer, PARTICLES) is None
    # Mapped into memory, a file that is cut while it is shown would end napari.
    os.truncate(tmp_path / "odd.mrcs", 2000)
    with pytest.raises(InputError, match=r"odd\.mrcs: the file ends"):
        layer.data[3]


def test_a_map_becomes_a_volume_in_true_units_with_its_hand(viewer, tmp_path, rng):
    data = rng.normal(size=(6, 8, 10)).astype(np.float32)
    write_volume(tmp_path / "map.mrc", data, (1.5, 2.0, 3.0), origin=(10.0, 20.0, 30.0))
    (layer,) = viewer.open(tmp_path / "map.mrc", plugin=NAME)
    np.testing.assert_array_equal(layer.data, data)
    assert [str(unit) for unit in layer.units] == ["angstrom"] * 3
    assert viewer.dims.ndisplay == 3
    # z points away from the viewer: -z is the scene's first axis.
    np.testing.assert_allclose(layer.data_to_world((0, 0, 0)), (-30, 20, 10))
    np.testing.assert_allclose(layer.data_to_world((1, 1, 1)), (-33, 22, 11.5))


def test_a_map_without_an_origin_has_its_middle_there(tmp_path, rng):
    data = rng.normal(size=(8, 8, 8)).astype(np.float32)
    write_volume(tmp_path / "map.mrc", data, 2.5)
    (described,) = open_mrc(None, tmp_path / "map.mrc")
    layer = Layer.create(*described)
    np.testing.assert_allclose(layer.data_to_world((4, 4, 4)), (0, 0, 0), atol=1e-9)


def test_a_map_of_unknown_pixel_size_says_so(tmp_path, rng):
    data = rng.normal(size=(8, 8, 8)).astype(np.float32)
    write_volume(tmp_path / "map.mrc", data, None)
    (described,) = open_mrc(None, tmp_path / "map.mrc")
    layer = Layer.create(*described)
    assert [str(unit) for unit in layer.units] == ["pixel"] * 3
    np.testing.assert_allclose(np.abs(layer.scale), 1)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("cryodrgn-tests/hand-vol.mrc", False),
        ("cryodrgn-tests/toymodel_small_nocenter.mrc", False),
        ("emdb-maps/EMD-3197.map", False),
        ("tomodrgn-10076-DE/10076_classD_32.mrc", False),
        ("cryodrgn-tests/hand.mrcs", True),
        ("aspire/rln_proj_65.mrcs", True),
    ],
)
def test_real_files_are_told_apart_and_read(data_folder, name, stack):
    path = data_folder / name
    header = read_header(path)
    assert is_image_stack(header) is stack
    ((data, options, kind),) = open_mrc(None, path)
    assert kind == "image"
    assert data.shape == header.shape
    if stack:
        assert isinstance(data, LazyImages)
    else:
        np.testing.assert_array_equal(data, read_volume(path).data)
        assert np.sign(options["scale"]).tolist() == [-1, 1, 1]


@pytest.mark.data
def test_text_files_are_taken_only_where_they_list_stacks(viewer, data_folder, tmp_path):
    assert lists_stacks(data_folder / "cryodrgn-tests" / "toy_projections.txt")
    assert particles_reader(str(data_folder / "cryodrgn-tests" / "toy_projections.txt"))
    (tmp_path / "notes.txt").write_text("buy milk\n")
    assert particles_reader(str(tmp_path / "notes.txt")) is None
    (tmp_path / "empty.txt").write_text("")
    assert particles_reader(str(tmp_path / "empty.txt")) is None


def test_several_files_at_once_are_no_particle_set(tiny_set):
    both = [str(tiny_set / "particles.star")] * 2
    assert particles_reader(both) is None
    assert run_reader([str(tiny_set)] * 2) is None
    assert mrc_reader([str(tiny_set / "particles.mrcs")] * 2) is None


def test_missing_files_are_declined(viewer, tmp_path):
    assert mrc_reader(str(tmp_path / "none.mrc")) is None
    assert particles_reader(str(tmp_path / "none.star")) is None
    assert sample_reader("napari-cryodrgn://nothing") is None


def test_without_a_window_docks_cannot_be_opened(small_run, tiny_set):
    assert run_reader(str(small_run.path)) is None
    assert particles_reader(str(tiny_set / "particles.star")) is None
