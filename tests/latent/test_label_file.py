"""A user's labels come to the particles that they were made for, or are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import write_array
from napari_cryodrgn.latent.label_file import read_label_column
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows

ROWS = np.array([7, 2, 9, 4])


@pytest.fixture
def latent(rng) -> LatentSpace:
    names = pd.DataFrame({"image_name": [f"{row}@a.mrcs" for row in ROWS]})
    mu = rng.normal(size=(4, 2)).astype(np.float32)
    return make_latent_space(mu, ParticleRows(ROWS, 12), epoch=1, metadata=names)


def test_an_array_is_of_the_particles_or_of_the_whole_table(latent, tmp_path):
    write_array(tmp_path / "mine.pkl", np.array([3, 1, 1, 2]))
    values = read_label_column(tmp_path / "mine.pkl", latent)
    assert (values.name, list(values), str(values.dtype)) == ("mine", [3, 1, 1, 2], "category")
    np.save(tmp_path / "all.npy", np.arange(12) * 0.5)
    np.testing.assert_array_equal(read_label_column(tmp_path / "all.npy", latent), ROWS * 0.5)


def test_a_table_is_matched_by_row_or_image_in_any_order(latent, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("row,score\n9,0.9\n2,0.2\n11,1.1\n7,0.7\n")
    np.testing.assert_array_equal(read_label_column(path, latent), [0.7, 0.2, 0.9, np.nan])
    path.write_text("class,image_name\ngood,2@a.mrcs\nbad,7@a.mrcs\n")
    values = read_label_column(path, latent)
    assert list(values[:2]) == ["bad", "good"]
    assert values[2:].isna().all()
    assert values.name == "t class"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row,a\n1.5,2\n", "whole numbers"),
        ("row,a\n12,2\n", "whole numbers"),
        ("row,a\n2,2\n2,3\n", "more than once"),
        ("row,a\n1,2\n", "none of its particles"),
        ("row,a,b\n1,2,3\n", "one column of values"),
        ("a\n1\n2\n", "2 values"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_does_not_tell_is_refused(latent, tmp_path, text, words):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_label_column(path, latent)


def test_other_files_are_refused(latent, tmp_path):
    np.save(tmp_path / "short.npy", np.zeros(5))
    np.save(tmp_path / "flat.npy", np.zeros((4, 2)))
    (tmp_path / "a.npy").write_bytes(b"nothing")
    (tmp_path / "a.txt").write_text("1")
    for name in ("short.npy", "flat.npy", "a.npy", "a.txt", "gone.pkl"):
        with pytest.raises(InputError) as caught:
            read_label_column(tmp_path / name, latent)
        assert Path(str(caught.value.file)).name == name
