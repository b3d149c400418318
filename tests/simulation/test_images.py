from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley
from napari_cryodrgn.imaging.shift import shift_hartley
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.simulation.images import ImageMaker
from napari_cryodrgn.simulation.optics import draw_ctf
from napari_cryodrgn.simulation.scene import build_scene
from napari_cryodrgn.simulation.truth import draw_truth, generator


def _maker(**settings: object) -> ImageMaker:
    config = SimulationConfig.model_validate(
        {"n_particles": 64, "box": 32, "max_shift": 0.0, **settings}
    )
    scene = build_scene(config)
    ctf = None
    if config.ctf:
        ctf = draw_ctf(config, scene.box, scene.pixel_size, generator(config.seed, "optics"))
    truth = draw_truth(config, scene.structure)
    return ImageMaker(config, scene.structure, truth, ctf, scene.box, scene.pixel_size)


def _images(maker: ImageMaker) -> np.ndarray:
    signal = run_to_end(maker.measure_signal())
    return np.concatenate(list(maker.images(signal)))


@pytest.mark.parametrize("snr", [0.05, 2.0])
@pytest.mark.parametrize("coloured", [0.0, 0.6])
def test_signal_and_noise_have_the_ratio_asked_for(snr: float, coloured: float) -> None:
    maker = _maker(snr=snr, coloured=coloured)
    every = np.arange(64)
    noise_std = np.sqrt(run_to_end(maker.measure_signal()) / snr)
    signals = -maker.signals(every).numpy() / noise_std
    noise = _images(maker) - signals
    assert noise.var() == pytest.approx(1.0, rel=0.02)
    assert signals.var(axis=(1, 2)).mean() / noise.var() == pytest.approx(snr, rel=0.03)


def test_coloured_noise_falls_off_towards_fine_detail() -> None:
    maker = _maker(empty=1.0, coloured=1.0, ctf=False)
    power = np.abs(np.fft.rfft2(_images(maker))) ** 2
    assert power[:, 1, 1].mean() > 5 * power[:, 14, 14].mean()


def test_particles_are_bright_as_relion_writes_them() -> None:
    for settings in ({"ctf": True, "defocus_min": 15_000}, {"ctf": False}):
        maker = _maker(snr=float("inf"), **settings)
        images = _images(maker)
        assert images.std(axis=(1, 2)).mean() == pytest.approx(1.0, rel=0.05)
        projections = _maker(ctf=False).signals(np.arange(64)).numpy()
        correlation = [
            np.corrcoef(a.ravel(), b.ravel())[0, 1]
            for a, b in zip(images, projections, strict=True)
        ]
        assert min(correlation) > 0.2


def test_the_ctf_is_that_of_its_table() -> None:
    with_ctf, without = _maker(), _maker(ctf=False)
    every = np.arange(64)
    seen = torch.fft.rfft2(with_ctf.signals(every))
    pure = torch.fft.rfft2(without.signals(every))
    y, x = torch.meshgrid(
        torch.fft.fftfreq(32, with_ctf.pixel_size),
        torch.fft.rfftfreq(32, with_ctf.pixel_size),
        indexing="ij",
    )
    assert with_ctf.ctf is not None
    table = torch.from_numpy(with_ctf.ctf.table[:, 1:].astype(np.float32))
    factor = ctf_2d(torch.stack([x.reshape(-1), y.reshape(-1)], 1), table).reshape(seen.shape)
    inner = np.s_[:, :15, :15]
    np.testing.assert_allclose(seen[inner], (pure * factor)[inner], atol=1e-3)


def test_junk_looks_like_what_it_is() -> None:
    maker = _maker(
        n_particles=100, aggregates=0.25, empty=0.25, off_centre=0.25, ctf=False, kind="hinge"
    )
    images = maker.signals(np.arange(100)).numpy()
    kind = maker.truth.junk
    mass = images.sum(axis=(1, 2))
    assert np.abs(images[kind == "empty"]).max() == 0
    assert mass[kind == ""].std() / mass[kind == ""].mean() < 1e-3
    # Some of every clump leaves the box; what is left still outweighs one particle.
    assert (mass[kind == "aggregate"] > 1.3 * mass[kind == ""].mean()).all()
    grid = np.arange(32) - 16
    mean_x = (images * grid).sum(axis=(1, 2))[kind != "empty"] / mass[kind != "empty"]
    mean_y = (images * grid[:, None]).sum(axis=(1, 2))[kind != "empty"] / mass[kind != "empty"]
    distance = np.hypot(mean_x, mean_y)
    assert distance[(kind == "")[kind != "empty"]].max() < 4
    assert np.median(distance[(kind == "off_centre")[kind != "empty"]]) > 5


def test_chunks_do_not_change_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"aggregates": 0.1, "off_centre": 0.1, "coloured": 0.3}
    whole = _images(_maker(**settings))
    monkeypatch.setattr("napari_cryodrgn.simulation.images.CHUNK", 64)
    np.testing.assert_allclose(_images(_maker(**settings)), whole, atol=1e-4)


def test_the_shift_that_training_applies_centres_the_image() -> None:
    centred, shifted = _maker(ctf=False), _maker(ctf=False, max_shift=0.1)
    every = np.arange(64)
    lattice = Lattice(32)
    seen = to_hartley(shifted.signals(every), invert=False, window=None).reshape(64, -1)
    expected = to_hartley(centred.signals(every), invert=False, window=None).reshape(64, -1)
    shifts = torch.from_numpy(shifted.truth.given_poses.shifts) * 32
    moved = shift_hartley(seen, shifts, lattice)
    disc = lattice.disc(15)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(moved[:, disc], expected[:, disc], atol=2e-3 * scale)
