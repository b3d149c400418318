"""Bring faults about in real commands, and look whether anything is lost.

    python scripts/inject_faults.py --injections 240

Kills, terminates and interrupts commands at random moments; lets a small disk be full, or fill up
(as root, who may mount one; otherwise the size of files is limited); takes away the right to
write; deletes and cuts inputs while they are used. Ends with status 1 where something was lost,
does not open, cannot be done again, or a command ended in a traceback. POSIX only; see
``tests/faults/injections.py`` for all that must hold.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

import commands
import injections


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--injections", type=int, default=240, help="that strike; the rest is more")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="commands, with commas between")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    only = options.only.split(",") if options.only else list(commands.COMMANDS)
    pairs = [pair for pair in injections.PAIRS if pair[0] in only]
    struck: Counter[tuple[str, str]] = Counter()
    faults = number = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        sound, plain, small = (Path(folder) / name for name in ("sound", "plain", "small"))
        for each in (sound, plain, small):
            each.mkdir()
        commands.prepare(sound)
        wanted = dict.fromkeys(command for command, _ in pairs)
        places = plain / "work", plain / "other"
        known = {name: injections.usual(sound, places, name) for name in wanted}
        with injections.small_disk(small) as mounted:
            print("A disk of its own is filled" if mounted else "The size of files is limited")
            while struck.total() < options.injections:
                command, fault = pairs[number % len(pairs)]
                number += 1
                disk = small if fault.startswith("disk") and mounted else plain
                if fault == "disk fills" and not mounted:
                    continue
                found = injections.inject(sound, disk, command, fault, known[command], rng)
                struck[command, fault] += found.struck
                for what in found.faults:
                    print(f"{command}, {fault}, status {found.status}: {what}", flush=True)
                faults += bool(found.faults)
    print("| command | " + " | ".join(injections.FAULTS) + " |")
    for command in wanted:
        counts = [str(struck[command, fault]) for fault in injections.FAULTS]
        print(f"| {command} | " + " | ".join(counts) + " |")
    print(f"{struck.total()} faults struck ({number} commands), {faults} with something wrong")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
