"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

DATA_VARIABLE = "NAPARI_CRYODRGN_TEST_DATA"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The public test data; the test is skipped where the folder is missing."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get(DATA_VARIABLE, default))
    if not folder.is_dir():
        pytest.skip(f"no test data: set {DATA_VARIABLE} to the folder that holds them")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
