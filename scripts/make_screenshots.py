"""Take the pictures in ``docs/images``: the real window, a real training, real mouse clicks.

    make pictures

or, on a display of 1600 x 1000 pixels or more,

    python scripts/make_screenshots.py [--data FOLDER] [--run RUN] [--out FOLDER]

What is shown is the demo, which is made first where FOLDER does not hold it yet; or, but for the
training, a run on another simulated set.
"""

from __future__ import annotations

import argparse
import shutil
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
from napari_cryodrgn.widgets.docks import (
    EVIDENCE,
    EXPLORE,
    LATENT,
    PARTICLES,
    SELECTIONS,
    TABS,
    TRAIN,
    TRAJECTORY,
    VOLUME,
    find_dock,
    frame_of,
    open_dock,
)
from napari_cryodrgn.widgets.evidence_dock import SELECTION_MAP, STATE_MAP, EvidenceDock
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.train_dock import TrainDock
from napari_cryodrgn.widgets.window import make_window, show_particles, show_run
from napari_cryodrgn.workflows.demo import make_demo
from napari_cryodrgn.workflows.simulate import SimulatedSet

ROOT = Path(__file__).resolve().parents[1]
WINDOW = (1500, 940)
MAX_BYTES = 300_000
CLASSES_COLUMN = "truthClass"
ANGLES = (-20, 25, 115)
CONTOUR = 3.0
"""In sigma."""


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


def place_of(dock: LatentDock, place: np.ndarray) -> QPoint:
    """Where on the plot's canvas a place (y, x) of the plot is, px."""
    native, camera = dock.plot.canvas.native, dock.plot.canvas.model.scene.camera
    y, x = place
    return QPoint(
        round(native.width() / 2 + (x - camera.center[-1]) * camera.zoom),
        round(native.height() / 2 - (y - camera.center[-2]) * camera.zoom),
    )


def click_particle(dock: LatentDock, session: Session, position: int) -> None:
    """Press and release the mouse on a particle's point, and wait for its exact volume."""
    dock.tools.choose("explore")
    native, place = dock.plot.canvas.native, place_of(dock, dock.plot.points[position])
    before = session.volume
    QTest.mouseMove(native, place)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    wait_for(lambda: session.volume is not before and session.volume.last and not session.busy)


def draw_lasso(dock: LatentDock, session: Session, places: np.ndarray) -> None:
    """Draw a lasso through places (M, 2) of the plot, and wait for its particles."""
    dock.tools.choose("lasso")
    session.selections.clear()
    native = dock.plot.canvas.native
    corners = [place_of(dock, place) for place in places]
    QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, corners[0])
    for corner in corners[1:]:
        QTest.mouseMove(native, corner)
        QTest.qWait(15)
    QTest.mouseRelease(
        native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, corners[-1]
    )
    wait_for(lambda: session.selections.count > 0)
    dock.tools.choose("explore")


def ring_about(points: np.ndarray) -> np.ndarray:
    """An outline (M, 2) about most of the points (N, 2)."""
    middle = np.median(points, axis=0)
    reach = 1.15 * np.quantile(np.abs(points - middle), 0.9, axis=0)
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return middle + reach * np.column_stack([np.sin(turns), np.cos(turns)])


def middle_of(points: np.ndarray, chosen: np.ndarray) -> int:
    """The chosen particle that lies nearest to the middle of the chosen ones."""
    positions = np.flatnonzero(chosen)
    away = points[positions] - np.median(points[positions], axis=0)
    return int(positions[np.einsum("ij,ij->i", away, away).argmin()])


def picture_run(run: RunFolder, out: Path) -> None:
    """The window on a run, and what there is to explore, select, judge and follow a path."""
    viewer = open_viewer()
    docks = {name: find_dock(viewer, name) for name in (LATENT, *TABS)}
    latent, session = docks[LATENT], session_for(viewer)
    show_run(viewer, run.path)
    wait_for(lambda: session.latent is not None and latent.plot.scatter is not None)
    latent.plot.choose_colour(CLASSES_COLUMN)
    wait_for(lambda: session.volume is None or not session.busy)
    classes = session.latent.columns[CLASSES_COLUMN]
    members = [(classes == name).to_numpy() for name in sorted(classes.dropna().unique())[-3:]]
    points = latent.plot.points
    draw_lasso(latent, session, ring_about(points[members[0]]))
    middles = [middle_of(points, chosen) for chosen in members]
    click_particle(latent, session, middles[0])
    docks[VOLUME].contour.number.setValue(CONTOUR)
    viewer.scene.camera.angles = ANGLES
    QTest.qWait(1500)
    save(image_of(viewer.window._qt_viewer.canvas.native), out / "volume.png")
    save(image_of(latent), out / "latent-space.png")
    picture_evidence(viewer, docks, out)
    for number, chosen in enumerate(members, start=1):
        draw_lasso(latent, session, ring_about(points[chosen]))
        session.selections.keep(f"state {number}")
    open_dock(viewer, SELECTIONS)
    QTest.qWait(1000)
    save(image_of(docks[SELECTIONS]), out / "selections.png")
    picture_path(viewer, docks, points[middles], out)
    save(image_alone(viewer, docks, EXPLORE), out / "explore.png")
    viewer.close()


def image_alone(viewer: napari.Viewer, docks: dict[str, SessionDock], name: str) -> Image.Image:
    """A dock with all the height to itself, without what is empty below."""
    frame_of(docks[LATENT]).hide()
    open_dock(viewer, name)
    QTest.qWait(1500)
    picture = image_of(docks[name])
    frame_of(docks[LATENT]).show()
    lines = np.asarray(picture)
    same = (lines == lines[-1]).all(axis=(1, 2))
    filled = np.flatnonzero(~same)
    return picture.crop((0, 0, picture.width, min(picture.height, int(filled[-1]) + 10)))


def picture_evidence(viewer: napari.Viewer, docks: dict[str, SessionDock], out: Path) -> None:
    """The decoded volume beside maps of its images and of those of the selection."""
    evidence = docks[EVIDENCE]
    open_dock(viewer, EVIDENCE)
    wait_for(lambda: evidence.state.map_button.isEnabled())
    for button, found in (
        (evidence.state.map_button, evidence.state_map),
        (evidence.selection.map_button, evidence.selection_map),
    ):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        wait_for(lambda found=found: found.layer is not None and not busy(evidence))
    viewer.reset_view()
    viewer.scene.camera.angles = ANGLES
    viewer.scene.camera.zoom *= 0.82
    QTest.qWait(2500)
    save(image_of(viewer.window._qt_window), out / "window.png")
    save(image_alone(viewer, docks, EVIDENCE), out / "evidence.png")
    for name in (STATE_MAP, SELECTION_MAP):
        viewer.layers.remove(name)


def picture_path(
    viewer: napari.Viewer, docks: dict[str, SessionDock], places: np.ndarray, out: Path
) -> None:
    """A path drawn by mouse through places (M, 2) of the plot, and what lies along it."""
    latent, dock = docks[LATENT], docks[TRAJECTORY]
    open_dock(viewer, TRAJECTORY)
    latent.tools.choose("path")
    native = latent.plot.canvas.native
    for place in places:
        QTest.mouseClick(
            native,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            place_of(latent, place),
        )
        QTest.qWait(600)
    QTest.keyClick(native, Qt.Key.Key_Return)
    dock.book.edit(dock.book.active.name, route="density", pace="volume")
    player = dock.player
    wait_for(lambda: player.play_button.isEnabled())
    QTest.mouseClick(player.play_button, Qt.MouseButton.LeftButton)
    # Once more, for the frames are others when the pace has been found.
    for _ in range(2):
        wait_for(lambda: player.frames.n_decoded == len(player.frames) > 0)
        QTest.qWait(4000)
    QTest.mouseClick(dock.player.play_button, Qt.MouseButton.LeftButton)
    QTest.qWait(1000)
    both = [image_of(latent), image_alone(viewer, docks, TRAJECTORY)]
    size = (sum(each.width for each in both), max(each.height for each in both))
    whole = Image.new("RGB", size, both[0].getpixel((1, 1)))
    whole.paste(both[0], (0, 0))
    whole.paste(both[1], (both[0].width, 0))
    save(whole, out / "trajectory.png")
    latent.tools.choose("explore")


def busy(dock: EvidenceDock) -> bool:
    """Whether a long task of it is under way."""
    return dock.tasks.task is not None and dock.tasks.task.running


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
    share_height(docks, 0.55)
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
    parser.add_argument("--run", type=Path, help="a run on simulated particles to show instead")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    demo = run_to_end(make_demo(arguments.data))
    with tempfile.TemporaryDirectory(prefix="pictured-") as folder:
        # Selections and paths are saved with a run: that of others stays as it is.
        copy = shutil.copytree(arguments.run or demo.run.path, Path(folder) / "run")
        picture_run(RunFolder(copy), arguments.out)
    picture_training(demo.particles, arguments.out)


if __name__ == "__main__":
    main()
