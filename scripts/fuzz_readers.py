"""Give every reader damaged files for a while, and count what comes of it.

    python scripts/fuzz_readers.py --seconds 600
    python scripts/fuzz_readers.py --seconds 600 --guided /path/to/python-with-atheris

The seconds are shared between the readers. Each is run in a process of its own that is limited
in memory and watched; see ``tests/hostile/harness.py``. ``--guided`` names a Python of the same
version in which atheris is installed: mutations are then led by the lines that they reach. Files
that bring a fault about are kept in the folder that ``--keep`` names. Ends with status 1 where
there was any fault.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "tests" / "hostile" / "harness.py"
COLUMNS = ("reader", "files", "read", "refused", "faults", "slowest", "megabytes")


def environment(guided: Path | None) -> dict[str, str]:
    """One thread, and this Python's packages for the other one."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    if guided is not None:
        packages = [path for path in sys.path if path.endswith("site-packages")]
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), *packages])
    return variables


def fuzz(reader: str, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Damaged files for one reader."""
    python = options.guided or Path(sys.executable)
    words = [str(python), str(HARNESS), "--reader", reader, "--seconds", f"{seconds:.1f}"]
    words += ["--seed", str(options.seed)]
    if options.keep:
        words += ["--keep", str(options.keep)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        if options.guided:
            words += ["--guided", str(report)]
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=2 * seconds + 300,
            env=environment(options.guided),
        )
        text = done.stdout.strip() if not options.guided else ""
        if report.is_file():
            text = report.read_text()
    if not text or (done.returncode and not options.guided):
        fault = f"the process ended with {done.returncode}: {done.stderr[-500:]}"
        return {"reader": reader, "files": 0, "faults": 1, "found": {fault: ""}}
    found: dict[str, Any] = json.loads(text)
    if done.returncode:
        found["faults"] += 1
        found["found"][f"the process ended with {done.returncode}: {done.stderr[-500:]}"] = ""
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="for all readers together")
    parser.add_argument("--reader", action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", type=Path, help="Python with atheris")
    parser.add_argument("--keep", type=Path, help="folder for files that bring a fault about")
    parser.add_argument("--processes", type=int, default=1, help="readers at a time")
    options = parser.parse_args()
    listed = subprocess.run(
        [sys.executable, str(HARNESS), "--list"], capture_output=True, text=True, check=True
    )
    readers = [name for name in json.loads(listed.stdout) if name in (options.reader or [name])]
    share = options.seconds * options.processes / len(readers)
    print(" | ".join(COLUMNS))
    faults = files = 0
    with ThreadPoolExecutor(options.processes) as pool:
        for found in pool.map(lambda name: fuzz(name, share, options), readers):
            print(" | ".join(str(found.get(column, "")) for column in COLUMNS), flush=True)
            for fault in found["found"]:
                print(f"    {fault}")
            faults += found["faults"]
            files += found["files"]
    print(f"{files} files, {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
