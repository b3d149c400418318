"""Make ``docs/images/moving.webp``, the README's moving picture: the real window, real mouse.

    make pictures

or, on a display of 1600 x 1000 pixels or more,

    python scripts/make_moving_picture.py [--run RUN] [--out FILE]

The mouse is dragged through the latent space of the demo's run, and the window is photographed at
each step.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
import numpy as np
from PIL import Image, ImageDraw
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_screenshots import (
    ANGLES,
    CLASSES_COLUMN,
    CONTOUR,
    ROOT,
    click_particle,
    image_of,
    middle_of,
    open_viewer,
    place_of,
    wait_for,
)

from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.docks import EXPLORE, LATENT, VOLUME, find_dock, open_dock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.window import show_run
from napari_cryodrgn.workflows.demo import make_demo

MAX_BYTES = 3_000_000
WIDTH = 960
FRAMES = 90
MILLISECONDS = 90


def move(native: QWidget, place: QPoint, kind: QEvent.Type, held: bool) -> None:
    """One mouse event on the plot's canvas, the left button held down or not."""
    where = QPointF(place)
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
    event = QMouseEvent(
        kind,
        where,
        QPointF(native.mapToGlobal(place)),
        button,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(native, event)


def with_mouse(picture: Image.Image, place: QPoint, down: bool) -> Image.Image:
    """The picture with an arrow at a place, which photographs of a window leave out."""
    draw = ImageDraw.Draw(picture)
    x, y = place.x(), place.y()
    outline = [(0, 0), (0, 21), (5, 17), (9, 25), (13, 23), (9, 15), (16, 15)]
    if down:
        draw.ellipse((x - 13, y - 13, x + 13, y + 13), outline=(255, 255, 255), width=2)
    draw.polygon([(x + dx, y + dy) for dx, dy in outline], fill="white", outline="black")
    return picture


def stations(viewer: napari.Viewer) -> np.ndarray:
    """Along the first class and back, then to the others and back: (M, 2)."""
    latent, session = find_dock(viewer, LATENT), session_for(viewer)
    classes = session.latent.columns[CLASSES_COLUMN]
    names = sorted(classes.dropna().unique())[-3:]
    points = latent.plot.points
    middles = [points[middle_of(points, (classes == name).to_numpy())] for name in names]
    first = points[(classes == names[0]).to_numpy()]
    along = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)[2][0]
    order = np.argsort(first @ along)
    ends = [first[order[round(share * (len(order) - 1))]] for share in (0.03, 0.97)]
    return np.array([middles[0], *ends, middles[0], *middles[1:], middles[0]])


def along(corners: np.ndarray, n: int) -> np.ndarray:
    """Places (n, 2) on the lines between corners, slower where the line turns."""
    at = np.linspace(0, len(corners) - 1, n)
    whole = np.floor(at)
    part = at - whole
    at = whole + part * part * (3 - 2 * part)
    numbers = np.arange(len(corners))
    return np.column_stack([np.interp(at, numbers, corners[:, axis]) for axis in (0, 1)])


def photographs(viewer: napari.Viewer) -> Iterator[Image.Image]:
    """The window while the mouse is dragged through the latent space."""
    latent, session = find_dock(viewer, LATENT), session_for(viewer)
    native = latent.plot.canvas.native
    window = viewer.window._qt_window
    corners = stations(viewer)
    places = [place_of(latent, place) for place in along(corners, FRAMES)]
    move(native, places[0], QEvent.Type.MouseButtonPress, held=True)
    for number, place in enumerate(places):
        move(native, place, QEvent.Type.MouseMove, held=True)
        QTest.qWait(60)
        wait_for_quietly(lambda: not session.busy)
        where = native.mapTo(window, place)
        yield with_mouse(image_of(window), where, down=number < len(places) - 1)
    move(native, places[-1], QEvent.Type.MouseButtonRelease, held=False)
    wait_for(lambda: session.volume is not None and session.volume.last and not session.busy)
    yield with_mouse(image_of(window), native.mapTo(window, places[-1]), down=False)


def wait_for_quietly(condition: Callable[[], bool]) -> None:
    """Let the window live for at most two seconds, until something is so."""
    for _ in range(40):
        if condition():
            break
        QTest.qWait(50)
    QTest.qWait(120)


def save(pictures: list[Image.Image], path: Path) -> None:
    """Write an animated WebP, no larger than the repository bears."""
    height = round(WIDTH * pictures[0].height / pictures[0].width)
    small = [each.resize((WIDTH, height), Image.Resampling.LANCZOS) for each in pictures]
    small[0].save(
        path,
        save_all=True,
        append_images=small[1:],
        duration=[MILLISECONDS] * (len(small) - 1) + [1500],
        loop=0,
        quality=70,
        method=6,
    )
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes")
    print(path, (WIDTH, height), f"{len(small)} frames, {path.stat().st_size // 1000} kB")


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description="Make the README's moving picture.")
    example = Path(tempfile.gettempdir()) / "cryodrgn-demo"
    parser.add_argument("--data", type=Path, default=example, help="folder of the demo")
    parser.add_argument("--run", type=Path, help="a run on simulated particles to show instead")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "moving.webp")
    arguments = parser.parse_args()
    run = arguments.run or run_to_end(make_demo(arguments.data)).run.path
    with tempfile.TemporaryDirectory(prefix="pictured-") as folder:
        copy = RunFolder(shutil.copytree(run, Path(folder) / "run"))
        viewer = open_viewer()
        latent, session = find_dock(viewer, LATENT), session_for(viewer)
        show_run(viewer, copy.path)
        wait_for(lambda: session.latent is not None and latent.plot.scatter is not None)
        latent.plot.choose_colour(CLASSES_COLUMN)
        open_dock(viewer, EXPLORE)
        QTest.qWait(1500)
        classes = session.latent.columns[CLASSES_COLUMN]
        first = (classes == sorted(classes.dropna().unique())[-3]).to_numpy()
        click_particle(latent, session, middle_of(latent.plot.points, first))
        find_dock(viewer, VOLUME).contour.number.setValue(CONTOUR)
        viewer.scene.camera.angles = ANGLES
        QTest.qWait(1500)
        pictures = list(photographs(viewer))
        viewer.close()
    save(pictures, arguments.out)


if __name__ == "__main__":
    main()
