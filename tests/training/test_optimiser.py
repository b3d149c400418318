from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from napari_cryodrgn.training.optimiser import build_optimiser, import_triton_apart


def test_adam_with_the_given_rates() -> None:
    optimiser = build_optimiser(torch.nn.Linear(2, 2).parameters(), lr=0.01, wd=0.1)
    assert isinstance(optimiser, torch.optim.Adam)
    group = optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.01, 0.1)


@pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="only glibc has deep binding")
def test_triton_is_bound_to_its_own_symbols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "triton.py").write_text("import sys\nflags = sys.getdlopenflags()\n")
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = sys.getdlopenflags()
    import_triton_apart()
    assert sys.modules["triton"].flags & os.RTLD_DEEPBIND
    assert sys.getdlopenflags() == before
    monkeypatch.delitem(sys.modules, "triton")
