"""What the project asks to be installed, and what that brings."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def pins() -> dict[str, Requirement]:
    """The versions that are tested, by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in requirements}


def direct(*extras: str, dev: bool = False) -> list[Requirement]:
    """What the base, some extras, and the tools of development name themselves."""
    lines = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        lines += EXTRAS[extra]
    if dev:
        lines += PROJECT["dependency-groups"]["dev"]
    return [Requirement(line) for line in lines]


def installed_closure(requirements: list[Requirement]) -> set[str]:
    """Names of the packages that the requirements bring on this system, themselves included."""
    waiting = [(each, "") for each in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = importlib.metadata.requires(name) or []
                waiting += [(Requirement(line), extra) for line in needs]
    return {name for name, _ in seen}
