#!/usr/bin/env bash
# Installs what Qt, OpenGL and a virtual display (Xvfb) need on Debian and Ubuntu, where it
# may; elsewhere on Linux it names what is missing. macOS and Windows bring all of it.
set -eu

[ "$(uname -s)" = Linux ] || exit 0

packages=(
    libgl1 libegl1 libglx0 libgl1-mesa-dri libopengl0 libdbus-1-3 libfontconfig1 libfreetype6
    libx11-xcb1 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-glx0 libxcb-icccm4
    libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-shm0
    libxcb-sync1 libxcb-util1 libxcb-xfixes0 libxcb-xkb1 xvfb xauth
)
libraries=(
    libGL.so.1 libEGL.so.1 libGLX.so.0 libOpenGL.so.0 libdbus-1.so.3 libfontconfig.so.1
    libfreetype.so.6 libX11-xcb.so.1 libxkbcommon.so.0 libxkbcommon-x11.so.0 libxcb-cursor.so.0
    libxcb-glx.so.0 libxcb-icccm.so.4 libxcb-image.so.0 libxcb-keysyms.so.1 libxcb-randr.so.0
    libxcb-render-util.so.0 libxcb-shape.so.0 libxcb-shm.so.0 libxcb-sync.so.1 libxcb-util.so.1
    libxcb-xfixes.so.0 libxcb-xkb.so.1
)

missing() {
    local known name
    known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true)
    for name in "${libraries[@]}"; do
        [[ $known == *"$name "* ]] || echo "$name"
    done
    for name in Xvfb xvfb-run xauth; do
        command -v "$name" >/dev/null || echo "$name"
    done
}

[ -n "$(missing)" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ] && sudo -n true >/dev/null 2>&1; then
    as_root=(sudo -n)
fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || [ ${#as_root[@]} -gt 0 ]; }; then
    echo "installing system libraries for Qt, OpenGL and Xvfb"
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
        true
fi

left=$(missing | tr '\n' ' ')
if [ -n "$left" ]; then
    echo "missing for the window: ${left% }. Debian and Ubuntu: apt-get install ${packages[*]}" >&2
fi
