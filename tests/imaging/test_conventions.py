"""Contrast, rotation and hand, against images and poses of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.imaging.hartley import hartley_2d, inverse_hartley_2d, symmetrise
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_poses


def test_inverted_bright_particles_are_positive_density_times_the_ctf():
    """RELION and cryoSPARC extract particles bright on dark: minus CTF times density."""
    box = 32
    grid = torch.arange(box, dtype=torch.float64) - box // 2
    density = torch.exp(-(grid[:, None].square() + grid.square()) / 50)
    lattice = Lattice(box, dtype=torch.float64)
    parameters = torch.tensor([[4.0, 15000, 15000, 0, 300, 2.7, 0.1, 0]], dtype=torch.float64)
    ctf = ctf_2d(lattice.frequencies(4.0), parameters).reshape(box + 1, box + 1)
    expected = ctf * symmetrise(hartley_2d(density))
    image = inverse_hartley_2d(-expected[:-1, :-1])
    assert image[box // 2, box // 2] > 0.05
    assert torch.allclose(to_hartley(image[None], invert=True)[0], expected)


def projection(volume, rotation):
    """Sum along the view of a volume [z, y, x]: plane points times R are volume points."""
    box = len(volume)
    steps = np.arange(box) - box // 2
    z, y, x = np.meshgrid(steps, steps, steps, indexing="ij")
    places = np.stack((x, y, z), axis=-1) @ rotation + box // 2
    turned = map_coordinates(volume, places[..., ::-1].reshape(-1, 3).T, order=1)
    return turned.reshape(volume.shape).sum(axis=0)


def correlation(one, other):
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


@pytest.mark.data
@pytest.mark.parametrize("position", [0, 17, 610])
def test_images_are_projections_of_their_map(data_folder, position):
    """Images of cryoDRGN's simulator; tells a map from its mirror image, R from its transpose."""
    folder = data_folder / "cryodrgn-tests"
    volume = read_volume(folder / "toymodel_small_nocenter.mrc").data
    stack = FileImageStack.of_files([folder / "toy_projections.mrcs"])
    image = stack.read(np.array([position]))[0]
    rotation = read_poses(folder / "toy_rot_trans.pkl").rotations[position]
    wrong = [projection(volume[::-1], rotation), projection(volume, rotation.T)]
    assert correlation(image, projection(volume, rotation)) > 0.9999
    assert max(correlation(image, other) for other in wrong) < 0.95
