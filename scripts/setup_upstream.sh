#!/usr/bin/env bash
# Installs cryoDRGN 4.3.1 (GPL-3.0, a program of its own) from PyPI into .venvs/upstream, so
# that tests can run its commands on our files and ours on its files. It is only ever run.
set -eu

cd "$(dirname "$0")/.."
version=4.3.1
folder=.venvs/upstream

if "$folder/bin/cryodrgn" --version 2>/dev/null | grep -qF "cryoDRGN $version"; then
    exit 0
fi
scripts/make_venv.sh "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    "cryodrgn==$version" "torch==2.13.0"
"$folder/bin/cryodrgn" --version
