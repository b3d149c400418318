"""Decoding: against a plain evaluation of every point, against slices, and its failures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from napari_cryodrgn.decoding.evaluation_points import half_ball
from napari_cryodrgn.decoding.volume import decode_volume, decode_volumes
from napari_cryodrgn.decoding.volume_decoder import chunk_size
from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.imaging.hartley import hartley_2d, hartley_3d, inverse_hartley_3d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.rotation import rotations_from_euler

Z = np.array([0.5, -1.0], dtype=np.float32)


def plainly(model, z, box):
    """Every point of the cube by itself, conjugated where k_z > 0 or in the upper half plane."""
    lattice = Lattice(box, 0.5 * box / model.box)
    k_z, k_y, k_x = torch.meshgrid(lattice.axis, lattice.axis, lattice.axis, indexing="ij")
    points = torch.stack((k_x, k_y, k_z), dim=-1).reshape(-1, 3)
    decoder, latent = model.vae.decoder, torch.from_numpy(z)
    if decoder.domain == "hartley":
        values = decoder.coefficients(points, latent)[:, 0]
    else:
        upper = torch.arange(len(points)) > len(points) // 2
        points = torch.where(upper[:, None], -points, points)
        real, imaginary = decoder.coefficients(points, latent).unbind(-1)
        values = torch.where(upper, real + imaginary, real - imaginary)
        x, y, z_axis = points.unbind(-1)
        values[(x * x + y * y) + z_axis * z_axis > lattice.extent**2] = 0
    mean, deviation = model.norm
    side = lattice.side
    transform = (values * deviation + mean).reshape(side, side, side)[:-1, :-1, :-1]
    return inverse_hartley_3d(transform).numpy()


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("box", [16, 12, 2])
@pytest.mark.parametrize("domain", ["fourier", "hartley"])
@pytest.mark.parametrize("pe_type", ["gaussian", "geom_lowf"])
def test_is_the_plain_evaluation(make_model, pe_type, domain, box):
    model = make_model(pe_type=pe_type, domain=domain, norm=(0.25, 50.0))
    volume = decode_volume(model, Z, box=box)
    assert volume.shape == (box, box, box)
    assert volume.dtype == np.float32
    assert relative_error(volume, plainly(model, Z, box)) < 1e-6


def test_half_ball_and_its_mirror_are_the_ball():
    index, n_mirrored = half_ball(30, 30)
    total = 31**3
    chosen = torch.zeros(total, dtype=torch.int64)
    chosen[index] += 1
    chosen[total - 1 - index[:n_mirrored]] += 1
    axis = Lattice(30).axis
    squares = axis.square()
    ball = (squares[None, None, :] + squares[None, :, None]) + squares[:, None, None] <= 0.25
    assert torch.equal(chosen.bool(), ball.reshape(-1))
    assert int(chosen.max()) == 1
    assert len(index) == 7070


def test_central_slice_is_the_transform_of_the_projection(make_model):
    """What training compares with images, and what decoding shows, are the same molecule."""
    model = make_model()
    vae = model.vae
    disc = vae.lattice.disc(8)
    slices = vae.decoder.slice_values(vae.lattice.coords[disc], torch.from_numpy(Z))
    transform = torch.zeros(17 * 17)
    transform[disc] = slices * model.norm[1]
    projection = torch.from_numpy(decode_volume(model, Z)).sum(dim=0)
    found = hartley_2d(projection)
    inside = disc.reshape(17, 17)[:-1, :-1]
    expected = transform.reshape(17, 17)[:-1, :-1]
    assert torch.allclose(found[inside], expected[inside], atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("angles", [(0, 90, 0), (90, 90, 0), (90, 90, 90), (0, 90, 90)])
def test_a_rotated_slice_is_the_volume_there(make_model, angles):
    """Plane points times R are points (x, y, z) of the volume, stored [z, y, x]."""
    model = make_model()
    lattice = model.vae.lattice
    points = lattice.coords[lattice.disc(7)]
    points = points @ torch.from_numpy(rotations_from_euler(*angles))[0]
    slices = model.vae.decoder.slice_values(points, torch.from_numpy(Z)) * model.norm[1]
    transform = hartley_3d(torch.from_numpy(decode_volume(model, Z)))
    x, y, z = (torch.round(points * 16).long() + 8).T
    # On the central planes themselves the slice may take the other half.
    off_plane = points[:, 2].abs() > 1e-4
    assert int(off_plane.sum()) > 100
    found, expected = transform[z, y, x][off_plane], slices[off_plane]
    assert torch.allclose(found, expected, atol=1e-3 * float(slices.abs().max()))


def test_a_smaller_box_keeps_the_low_frequencies(make_model):
    """Intensities are not rescaled: transforms agree where both have them."""
    model = make_model()
    whole = hartley_3d(torch.from_numpy(decode_volume(model, Z)))
    small = hartley_3d(torch.from_numpy(decode_volume(model, Z, box=8)))
    axis = torch.arange(-4, 4)
    radius = axis[:, None, None].square() + axis[:, None].square() + axis.square()
    inside = radius < 16
    cut = whole[4:12, 4:12, 4:12]
    assert torch.allclose(small[inside], cut[inside], atol=1e-4 * float(cut.abs().max()))


def test_ab_initio_models_are_cut_plane_by_plane(make_model):
    """Discs of whole radius, without their centres; the side, box + 1, is the unit."""
    model = dataclasses.replace(make_model(domain="hartley"), mask_radius=7)
    found = hartley_3d(torch.from_numpy(decode_volume(model, Z)))
    whole = hartley_3d(torch.from_numpy(decode_volume(make_model(domain="hartley"), Z)))
    steps = np.arange(-8, 8)
    for plane, k_z in enumerate(steps / 16):
        radius = int(np.sqrt(max((7 / 17) ** 2 - k_z**2, 0)) * 17)
        distance = np.hypot(steps[:, None], steps)
        inside = torch.from_numpy((distance <= radius) & (distance > 0))
        assert torch.allclose(found[plane][inside], whole[plane][inside], atol=0.1)
        assert not found[plane][~inside].abs().gt(0.1).any()
    assert float(whole.abs().median()) > 1


def test_chunks_make_no_difference(make_model):
    model = make_model()
    whole = decode_volume(model, Z)
    pieces = decode_volume(model, Z, max_bytes=20_000)
    assert relative_error(pieces, whole) < 1e-6


def test_several_volumes_come_in_order(make_model):
    model = make_model()
    points = np.stack((Z, -Z, 2 * Z))
    for point, volume in zip(points, decode_volumes(model, points, box=8), strict=True):
        assert np.array_equal(volume, decode_volume(model, point, box=8))


def test_a_single_volume_has_no_latent(make_model):
    model = make_model(zdim=0)
    assert decode_volume(model, None).shape == (16, 16, 16)
    with pytest.raises(InputError, match="has 0 numbers, not 2"):
        decode_volume(model, Z)


def test_cancelling_stops_between_chunks(make_model):
    model = make_model()
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) >= 3

    with pytest.raises(Cancelled):
        decode_volume(model, Z, max_bytes=100_000, cancelled=cancelled)
    # Each of several threads may ask once more before it hears of it.
    assert 3 <= len(asked) <= 2 + torch.get_num_threads()


@pytest.mark.parametrize("width", [256, 1024])
def test_chunks_on_a_cpu_are_short_and_bounded(make_model, width):
    """At some 60 GFLOP/s a core, 2 GFLOP are well below 50 ms."""
    decoder = make_model(box=64, dec_dim=width, dec_layers=3).vae.decoder
    points = chunk_size(decoder, torch.device("cpu"), 2**30)
    flop = points * 2 * (decoder.decoder.n_in * width + 3 * width**2)
    assert 1e9 < flop <= 2e9
    few = chunk_size(decoder, torch.device("cpu"), 2**20)
    assert few * 4 * 3 * width <= 2**20
    assert chunk_size(decoder, torch.device("cpu"), 1) == 1


@pytest.mark.parametrize(
    ("z", "problem"),
    [
        ([1.0], "has 2 numbers, not 1"),
        ([1.0, 2.0, 3.0], "has 2 numbers, not 3"),
        (None, "has 2 numbers, not 0"),
        ([np.nan, 0.0], "must be finite"),
        ([0.0, np.inf], "must be finite"),
    ],
)
def test_unusable_latents_are_refused(make_model, z, problem):
    with pytest.raises(InputError, match=problem) as caught:
        decode_volume(make_model(), z)
    assert caught.value.field == "z"


@pytest.mark.parametrize("box", [0, 15, 18])
def test_unusable_boxes_are_refused(make_model, box):
    with pytest.raises(InputError, match=f"box = {box}: .* at most 16") as caught:
        decode_volume(make_model(), Z, box=box)
    assert caught.value.value == box


def test_a_bad_row_is_found_before_anything_is_decoded(make_model):
    with pytest.raises(InputError, match="must be finite"):
        decode_volumes(make_model(), [[0, 0], [0, np.nan]])
    with pytest.raises(InputError, match="a table with one row each"):
        decode_volumes(make_model(), [0.0, 1.0])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("domain", ["fourier", "hartley"])
def test_a_gpu_decodes_the_same(make_model, domain):
    model = make_model(box=32, domain=domain)
    expected = decode_volume(model, Z)
    model.vae.to("cuda")
    assert relative_error(decode_volume(model, Z), expected) < 1e-5
