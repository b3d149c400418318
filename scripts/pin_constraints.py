"""Write ``constraints.txt`` from the packages of the environment this runs in.

Run it with the Python of an environment in which the test suite has passed:

    .venv/bin/python scripts/pin_constraints.py

Only what the project needs is pinned (its dependencies, extras and the groups
``dev`` and ``docs``, with everything that those need in turn, on Linux, macOS and Windows),
so that a package somebody tried out does not end up in the file.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# Versions that the test suite passed with; written by scripts/pin_constraints.py.
# pip install -c constraints.txt -e '.[all,movies,simulate,slurm]'
"""
# Needed by ipykernel and jupyter-core on the systems that this file is not written on.
ELSEWHERE = {
    "appnope": "appnope==1.0.0 ; sys_platform == 'darwin'",
    "pywin32": "pywin32==312 ; sys_platform == 'win32'",
}
BUILD_TOOLS = ("hatchling",)
SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
PYTHONS = ("3.11", "3.12", "3.13")


def environments() -> Iterator[dict[str, str]]:
    """Marker environments of every system and Python version that is supported."""
    for sys_platform, platform_system, os_name in SYSTEMS:
        for python in PYTHONS:
            yield {
                **default_environment(),
                "sys_platform": sys_platform,
                "platform_system": platform_system,
                "os_name": os_name,
                "python_version": python,
                "python_full_version": f"{python}.9",
            }


def applicable(lines: list[str], environment: dict[str, str], extra: str) -> Iterator[Requirement]:
    """Requirements whose markers hold in this environment."""
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(
            {**environment, "extra": extra}
        ):
            yield requirement


def needed(direct: list[str], environment: dict[str, str]) -> set[str]:
    """Names of the direct requirements and of all that they need."""
    waiting = [
        (canonicalize_name(requirement.name), extra)
        for requirement in applicable(direct, environment, "")
        for extra in ("", *requirement.extras)
    ]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if name in ELSEWHERE:
            continue
        requires = importlib.metadata.requires(name) or []
        for requirement in applicable(requires, environment, extra):
            for wanted in ("", *requirement.extras):
                waiting.append((canonicalize_name(requirement.name), wanted))
    return {name for name, _ in seen}


def main() -> None:
    """Write the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = [
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *project["dependency-groups"]["dev"],
        *project["dependency-groups"]["docs"],
    ]
    names = set(BUILD_TOOLS).union(*(needed(direct, each) for each in environments()))
    pins = [
        ELSEWHERE.get(name) or f"{name}=={Version(importlib.metadata.version(name)).public}"
        for name in sorted(names)
    ]
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(pins)} pins")


if __name__ == "__main__":
    main()
