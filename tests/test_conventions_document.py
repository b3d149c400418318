"""docs/conventions.md names a test for each convention; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "conventions.md"


def test_every_test_named_there_exists():
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "::" in line]
    assert len(rows) > 15
    for row in rows:
        for path, name in re.findall(r"`([\w/]+\.py)::(\w+)", row):
            source = (TESTS / path).read_text(encoding="utf-8")
            assert f"def {name}(" in source, f"{path} has no {name}"


def test_every_convention_has_a_test():
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    for row in rows[2:]:
        assert "::test_" in row, row
