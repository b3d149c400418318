#!/usr/bin/env bash
# Makes the virtual environment FOLDER with Python 3.11, 3.12 or 3.13, and a pip new
# enough for dependency groups. PYTHON names the interpreter to use instead.
set -eu

folder=${1:?usage: make_venv.sh FOLDER}
check='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if "$candidate" -c "$check" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install_python() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true >/dev/null 2>&1 || return 1
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || return 1
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
}

if [ ! -x "$folder/bin/python" ] && [ ! -x "$folder/Scripts/python.exe" ]; then
    if ! python=$(find_python) && ! { install_python && python=$(find_python); }; then
        echo "napari-cryodrgn needs Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu:" \
            "apt-get install python3 python3-venv), or PYTHON=/path/to/python make ..." >&2
        exit 1
    fi
    echo "virtual environment $folder with $python"
    "$python" -m venv "$folder"
fi

if [ -x "$folder/bin/python" ]; then python=$folder/bin/python; else python=$folder/Scripts/python.exe; fi
if ! "$python" -m pip install --help | grep -q -- --group; then
    "$python" -m pip install --quiet --disable-pip-version-check 'pip>=25.1,<27'
fi
