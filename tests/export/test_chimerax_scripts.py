"""Scripts for ChimeraX: one contour, one camera, all volumes in order."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.export.chimerax import morph_script, quoted, series_script

NAMES = ["vol_001.mrc", "vol 002.mrc", "vol_003.mrc"]
LOOK = {"level": 0.0125, "colour": (138, 184, 214), "rotation": np.eye(3), "box": 64}


def lines(script: str, word: str) -> list[str]:
    return [line for line in script.splitlines() if line.startswith(word)]


def test_a_series_opens_all_volumes_in_order_and_plays_them():
    script = series_script(NAMES, **LOOK, pixel_size=1.5, frames_per_second=12, back_and_forth=True)
    assert lines(script, "open") == ['open vol_001.mrc "vol 002.mrc" vol_003.mrc vseries true']
    assert lines(script, "volume") == ["volume #1 style surface level 0.0125 step 1 color #8ab8d6"]
    assert lines(script, "vseries") == [
        "vseries play #1 loop true direction oscillate maxFrameRate 12"
    ]


def test_a_morph_goes_through_all_volumes():
    script = morph_script(NAMES, **LOOK, pixel_size=1.5, n_frames=90)
    assert lines(script, "volume morph") == ["volume morph #1-3 frames 90 slider true"]


@pytest.mark.parametrize("pixel_size", [0.8, 3.0, None])
def test_the_camera_sees_the_middle_of_the_box_from_far_enough(pixel_size):
    script = series_script(NAMES, **LOOK, pixel_size=pixel_size)
    numbers = lines(script, "view matrix camera")[0].removeprefix("view matrix camera ")
    matrix = np.array([float(word) for word in numbers.split(",")]).reshape(3, 4)
    side = 64 * (pixel_size or 1.0)
    place, looks = matrix[:, 3], -matrix[:, 2]
    distance = np.linalg.norm(place - side / 2)
    np.testing.assert_allclose(place + distance * looks, side / 2, atol=1e-3)
    assert 2 * distance * np.tan(np.radians(15)) == pytest.approx(side, rel=1e-4)


def test_an_unknown_pixel_size_is_said():
    assert "pixel size is unknown" in series_script(NAMES, **LOOK, pixel_size=None)
    assert "unknown" not in series_script(NAMES, **LOOK, pixel_size=1.0)


def test_names_that_a_command_would_split_are_quoted():
    assert quoted("a.mrc") == "a.mrc"
    assert quoted("a b;c.mrc") == '"a b;c.mrc"'
