"""Recipes of movies: everything that decides what a movie shows, in one file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.palette import Colour
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.latent.path import MAX_FRAMES

Layout = Literal["volume", "composite"]
Play = Literal["once", "loop", "ping-pong"]
Axes = Literal["auto", "umap", "pca"]
HexColour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]

LARGEST = 64 << 20
"""Bytes that a recipe may have: thousands of states of hundreds of dimensions."""

DEFAULT_SIZES: dict[Layout, tuple[int, int]] = {"volume": (576, 576), "composite": (1024, 576)}


class MovieRecipe(BaseModel):
    """What a movie shows.

    Parameters
    ----------
    run : Path
        Run folder.
    epoch : int or None
        Which epoch decodes it; None for weights without a number.
    weights : str
        SHA-256 of the weights that made it; "" before it was made.
    z : tuple of tuple of float
        Latent point of each state, in order.
    box : int or None
        Side of the volumes, px; that of the training images if None.
    pixel_size : float or None
        Å per voxel at that box; what the run says if None.
    flip, invert : bool
        Mirror volumes along z; multiply them by -1.
    layout : {"volume", "composite"}
        The volume alone, or beside the path through the latent space and the density along it.
    axes : {"auto", "umap", "pca"}
        Of the latent plot; a UMAP where there is one, if "auto".
    size : (int, int) or None
        Width and height of the frames, px.
    frames_per_second : float
        Speed.
    play : {"once", "loop", "ping-pong"}
        To the end; again and again; to the end and back, again and again.
    azimuth, elevation : float
        From where the molecule is seen, degrees.
    orbit, swing : float
        Turn of the camera about the z axis over the movie, and to and fro, degrees.
    zoom : float
        2 shows it twice as large.
    colour, background : str
        "#rrggbb".
    level : float or None
        Contour level of all frames; chosen from the first, middle and last state if None.
    scale_bar : bool
        Draw one, where the pixel size is known.
    difference : bool
        Colour the surface by what has come (blue) and gone (red) since the first state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    run: Path
    epoch: int | None = None
    weights: str = ""
    z: tuple[tuple[float, ...], ...]
    box: int | None = Field(default=None, ge=2)
    pixel_size: float | None = Field(default=None, gt=0)
    flip: bool = False
    invert: bool = False
    layout: Layout = "volume"
    axes: Axes = "auto"
    size: tuple[int, int] | None = None
    frames_per_second: float = Field(default=20.0, gt=0, le=120)
    play: Play = "loop"
    azimuth: float = -112.0
    elevation: float = Field(default=16.0, ge=-90, le=90)
    orbit: float = 0.0
    swing: float = 0.0
    zoom: float = Field(default=1.0, gt=0, le=50)
    colour: HexColour = "#7eaee2"
    background: HexColour = "#262930"
    level: float | None = None
    scale_bar: bool = True
    difference: bool = False

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of the frames, px."""
        return self.size or DEFAULT_SIZES[self.layout]

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """Latent points, (n, zdim)."""
        return np.array(self.z, dtype=np.float32)

    @property
    def order(self) -> list[int]:
        """Which state each frame shows.

        A path that closes is played without its last state, which is the first again.
        """
        states = list(range(len(self.z)))
        if self.play == "loop" and len(states) > 2 and self.z[0] == self.z[-1]:
            return states[:-1]
        return states + states[-2:0:-1] if self.play == "ping-pong" else states

    def azimuth_at(self, frame: int) -> float:
        """From where a frame is seen, degrees about the z axis."""
        share = frame / len(self.order)
        return self.azimuth + self.orbit * share + self.swing * float(np.sin(2 * np.pi * share))


def make_recipe(run: Path, z: npt.NDArray[np.floating], **settings: object) -> MovieRecipe:
    """A recipe from latent points and settings.

    Parameters
    ----------
    run : Path
        Run folder.
    z : (n, zdim) array
        Latent points.
    **settings
        Other fields of `MovieRecipe`.

    Raises
    ------
    InputError
        Where a setting does not do, or there are fewer than two states or too many.
    """
    points = tuple(tuple(float(number) for number in row) for row in np.asarray(z, np.float32))
    return _validated({"run": run, "z": points, **settings}, None)


def read_recipe(path: Path) -> MovieRecipe:
    """Read a recipe.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or names a setting that there is not.
    """
    text = read_text(path, LARGEST)
    try:
        values = MovieRecipe.model_validate_json(text)
    except ValidationError as error:
        raise _input_error(error, path) from error
    return _validated(dict(values), path)


def write_recipe(path: Path, recipe: MovieRecipe) -> None:
    """Write a recipe, whole or not at all."""
    write_text(path, recipe.model_dump_json(indent=1) + "\n")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def colour_of(text: str) -> Colour:
    """Red, green and blue, 0 to 255, of '#rrggbb'."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _validated(values: dict[str, object], file: Path | None) -> MovieRecipe:
    try:
        recipe = MovieRecipe.model_validate(values)
    except ValidationError as error:
        raise _input_error(error, file) from error
    count = len(recipe.z)
    if count < 2:
        raise InputError("a movie has at least two states", file=file, field="z", value=count)
    if count > MAX_FRAMES:
        raise InputError(
            f"a movie has at most {MAX_FRAMES} states", file=file, field="z", value=count
        )
    width, height = recipe.frame_size
    # Beside the molecule there is room for the plot and its words.
    least, least_width = (64, 64) if recipe.layout == "volume" else (256, height + 240)
    if not (least <= height <= 4320 and least_width <= width <= 7680):
        raise InputError(
            f"frames of this layout are {least} to 4320 px high and {least_width} to 7680 px wide",
            file=file,
            field="size",
            value=f"{width}x{height}",
        )
    return recipe


def _input_error(error: ValidationError, file: Path | None) -> InputError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "content"
    return InputError(first["msg"], file=file, field=field, value=first.get("input"))
