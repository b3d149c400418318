#!/usr/bin/env bash
# Runs a command on a virtual display of its own (Xvfb) on Linux, and as it is elsewhere.
# Windows then look the same on every machine, and no real desktop gets in the way.
set -eu

if [ "$(uname -s)" = Linux ] && command -v xvfb-run >/dev/null && command -v xauth >/dev/null; then
    unset WAYLAND_DISPLAY
    export QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 XDG_SESSION_TYPE=x11
    exec xvfb-run --auto-servernum --server-args='-screen 0 1600x1000x24' "$@"
fi
if [ "$(uname -s)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    echo "no display and no xvfb-run: what opens windows is skipped" >&2
fi
exec "$@"
