"""Take the pictures in ``docs/images``: the real window, a real training, real mouse clicks.

    make docs-screenshots

or, on a display of 1600 x 1000 pixels or more,

    python scripts/make_screenshots.py [--data FOLDER] [--out FOLDER]

What is shown is the demo, which is made first where FOLDER does not hold it yet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import LATENT, PARTICLES, TRAIN, find_dock, frame_of, open_dock
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.train_dock import TrainDock
from napari_cryodrgn.widgets.window import make_window, show_particles, show_run
from napari_cryodrgn.workflows.demo import make_demo
from napari_cryodrgn.workflows.simulate import SimulatedSet

ROOT = Path(__file__).resolve().parents[1]
WINDOW = (1500, 940)
MAX_BYTES = 300_000


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Let the window live until something is so, and half a second more."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(condition)
        QTest.qWait(50)
    QTest.qWait(500)


def image_of(widget: QWidget) -> Image.Image:
    """A widget as it stands on the screen, OpenGL included."""
    window = widget.window()
    corner = widget.mapTo(window, QPoint(0, 0))
    shot = QApplication.primaryScreen().grabWindow(
        window.winId(), corner.x(), corner.y(), widget.width(), widget.height()
    )
    picture = shot.toImage().convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), -1)
    pixels = lines[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    return Image.fromarray(pixels.copy())


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG that is small enough for the repository."""
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes")
    print(path, picture.size, f"{path.stat().st_size // 1000} kB")


def click_particle(dock: LatentDock, session: Session, position: int) -> None:
    """Press and release the mouse on a particle's point, and wait for its volume."""
    native, camera = dock.plot.canvas.native, dock.plot.canvas.model.scene.camera
    scatter = dock.plot.scatter
    y, x = scatter.points[position]
    place = QPoint(
        round(native.width() / 2 + (x - camera.center[-1]) * camera.zoom),
        round(native.height() / 2 - (y - camera.center[-2]) * camera.zoom),
    )
    before = session.volume
    QTest.mouseMove(native, place)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    wait_for(lambda: session.volume is not before and not session.busy)


def picture_run(run: RunFolder, out: Path) -> None:
    """The window on a run, its latent space, and the volume at a clicked particle."""
    viewer = open_viewer()
    docks = {name: find_dock(viewer, name) for name in (LATENT, PARTICLES, TRAIN)}
    latent, session = docks[LATENT], session_for(viewer)
    show_run(viewer, run.path)
    wait_for(lambda: session.latent is not None and latent.plot.scatter is not None)
    latent.plot.choose_colour("truthClass")
    wait_for(lambda: session.volume is None or not session.busy)
    positions = left_and_right(latent.plot.scatter.points)
    for position in positions:
        click_particle(latent, session, position)
    viewer.scene.camera.angles = (-20, 25, 115)
    QTest.qWait(1500)
    save(image_of(viewer.window._qt_window), out / "window.png")
    save(image_of(viewer.window._qt_viewer.canvas.native), out / "volume.png")
    save(image_of(latent), out / "latent-space.png")
    viewer.close()


def left_and_right(points: np.ndarray) -> list[int]:
    """Two particles in the midst of the points, one on the left and one on the right."""
    order = np.argsort(points[:, 1])
    return [int(order[len(order) // 6]), int(order[-len(order) // 6])]


def picture_training(particles: SimulatedSet, out: Path) -> None:
    """The Particles dock on a set, and the Train dock while it trains on it."""
    viewer = open_viewer()
    docks = {name: find_dock(viewer, name) for name in (LATENT, PARTICLES, TRAIN)}
    session = session_for(viewer)
    show_particles(viewer, particles.star)
    wait_for(lambda: session.particles is not None)
    frame_of(docks[LATENT]).hide()
    QTest.qWait(4000)
    save(image_of(docks[PARTICLES]), out / "particles.png")
    frame_of(docks[LATENT]).show()
    share_height(docks, 0.45)
    with tempfile.TemporaryDirectory(prefix="example-") as folder:
        train_dock: TrainDock = docks[TRAIN]
        open_dock(viewer, TRAIN)
        train_dock.settings.folder.set_path(Path(folder) / "first-look")
        train_dock.settings.form.set_values(
            {"zdim": 4, "enc_dim": 64, "dec_dim": 64, "num_epochs": 12, "lr": 1e-3}
        )
        QTest.qWait(500)
        QTest.mouseClick(train_dock.start_button, Qt.MouseButton.LeftButton)
        run = RunFolder(Path(folder) / "first-look")
        wait_for(lambda: len(run.weight_epochs()) >= 6)
        save(image_of(viewer.window._qt_window), out / "train.png")
        QTest.mouseClick(train_dock.stop_button, Qt.MouseButton.LeftButton)
        wait_for(lambda: not train_dock.task or not train_dock.task.running)
    viewer.close()


def share_height(docks: dict[str, SessionDock], latent: float) -> None:
    """Give the latent space this share of the height, and the tabs the rest."""
    frames = [frame_of(docks[name]) for name in (LATENT, PARTICLES)]
    heights = [round(WINDOW[1] * share) for share in (latent, 1 - latent)]
    frames[0].window().resizeDocks(frames, heights, Qt.Orientation.Vertical)
    QTest.qWait(500)


def open_viewer() -> napari.Viewer:
    """The whole window, of a fixed size."""
    viewer = make_window()
    viewer.window._qt_window.move(0, 0)
    viewer.window.resize(*WINDOW)
    QTest.qWait(1000)
    return viewer


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description="Take the pictures in docs/images.")
    example = Path(tempfile.gettempdir()) / "cryodrgn-demo"
    parser.add_argument("--data", type=Path, default=example, help="folder of the demo")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    demo = run_to_end(make_demo(arguments.data))
    picture_run(demo.run, arguments.out)
    picture_training(demo.particles, arguments.out)


if __name__ == "__main__":
    main()
