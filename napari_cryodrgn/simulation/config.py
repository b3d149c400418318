"""Settings of a simulated particle set; imports neither torch nor gemmi."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from napari_cryodrgn.config import option

HeterogeneityKind = Literal["auto", "hinge", "composition", "both", "states", "morph"]
CoordinateSpread = Literal["uniform", "skewed"]

# The built-in complex, its shifts and its CTF's nearest rings fit into this field, Å.
FIELD_OF_VIEW = 272.0


class SimulationConfig(BaseModel):
    """Everything that one simulation is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_particles: int = option(
        10_000,
        "Particles",
        "How many particle images to make, junk included.",
        "-N",
        "--n-particles",
        group="Images",
        ge=1,
        le=10_000_000,
    )
    box: int | None = option(
        None,
        "Box (px)",
        "Side of the images in pixels, even; 64, or that of the given volumes, if empty.",
        "--box",
        group="Images",
        ge=8,
        le=1024,
        multiple_of=2,
    )
    apix: float | None = option(
        None,
        "Pixel size (Å)",
        "Å per pixel of the images; that of the given volumes, or what lets the "
        "molecule fit the box, if empty.",
        "--apix",
        group="Images",
        gt=0,
        le=100,
    )
    like: Path | None = option(
        None,
        "Like these particles",
        "Particle table (.star, .cs) whose orientations, shifts, CTF and micrographs the images "
        "are given; its own images are not needed. At most as many images as it has rows.",
        "--like",
        group="Images",
    )
    kind: HeterogeneityKind = option(
        "auto",
        "Heterogeneity",
        "hinge: an arm turns (continuous). composition: subunits are missing (classes). "
        "both: at once. states: the given volumes or models are classes. morph: the "
        "molecule moves from each given model to the next. auto: both, or states where "
        "volumes or models are given.",
        "--kind",
        group="Molecule",
    )
    hinge_range: float = option(
        75.0,
        "Hinge range (°)",
        "How far the arm of the built-in complex turns.",
        "--hinge-range",
        group="Molecule",
        gt=0,
        le=120,
    )
    spread: CoordinateSpread = option(
        "uniform",
        "Spread of the motion",
        "uniform: every position is as common; skewed: most particles lie near one end.",
        "--spread",
        group="Molecule",
    )
    populations: tuple[float, ...] = option(
        (),
        "Class populations",
        "Share of each class, in their order; for the built-in complex: whole, without "
        "its cap, without its foot, without both. Unequal ones are taken if empty.",
        "--population",
        group="Molecule",
    )
    volumes: tuple[Path, ...] = option(
        (),
        "Volumes",
        "Density maps (.mrc), one for each state, instead of the built-in complex.",
        "--volume",
        group="Molecule",
    )
    volume_apix: float | None = option(
        None,
        "Pixel size of the volumes (Å)",
        "Where the headers of the given volumes are wrong.",
        "--volume-apix",
        group="Molecule",
        gt=0,
        le=100,
        advanced=True,
    )
    models: tuple[Path, ...] = option(
        (),
        "Atomic models",
        "Atomic models (.cif, .pdb), one for each state; a file with several models gives "
        "as many states. Needs the extra 'simulate' (gemmi).",
        "--model",
        group="Molecule",
    )
    chains: tuple[str, ...] = option(
        (),
        "Chains of each state",
        "Chain names, with commas between them, that make up one state of a single atomic "
        "model; once for each state.",
        "--chains",
        group="Molecule",
    )
    resolution: float | None = option(
        None,
        "Resolution (Å)",
        "Finest detail in the molecule; three pixels if empty. Given volumes stay as they are.",
        "--resolution",
        group="Molecule",
        gt=0,
        advanced=True,
    )
    snr: float = option(
        0.1,
        "Signal to noise",
        "Variance of the signal over variance of the noise, both over all pixels of the "
        "images; 'inf' for images without noise.",
        "--snr",
        group="Noise and optics",
        gt=0,
    )
    coloured: float = option(
        0.0,
        "Coloured noise",
        "Share of the noise's variance that falls off towards fine detail and passes the "
        "CTF, as that of the ice does; the rest is white.",
        "--coloured",
        group="Noise and optics",
        ge=0,
        le=1,
        advanced=True,
    )
    ctf: bool = option(
        True,
        "CTF",
        "Whether images are seen through a microscope's contrast transfer function.",
        "--ctf/--no-ctf",
        group="Noise and optics",
    )
    defocus_min: float = option(
        8_000.0,
        "Least defocus (Å)",
        "Underfocus of the micrograph closest to focus.",
        "--defocus-min",
        group="Noise and optics",
        ge=0,
    )
    defocus_max: float = option(
        22_000.0,
        "Greatest defocus (Å)",
        "Underfocus of the micrograph farthest from focus.",
        "--defocus-max",
        group="Noise and optics",
        ge=0,
    )
    astigmatism: float = option(
        300.0,
        "Astigmatism (Å)",
        "Greatest difference between the two defoci.",
        "--astigmatism",
        group="Noise and optics",
        ge=0,
        advanced=True,
    )
    voltage: float = option(
        300.0,
        "Voltage (kV)",
        "Acceleration voltage of the microscope.",
        "--kv",
        group="Noise and optics",
        ge=60,
        le=400,
        advanced=True,
    )
    spherical_aberration: float = option(
        2.7,
        "Spherical aberration (mm)",
        "Cs of the objective lens.",
        "--cs",
        group="Noise and optics",
        ge=0,
        le=10,
        advanced=True,
    )
    amplitude_contrast: float = option(
        0.1,
        "Amplitude contrast",
        "Share of the contrast that is not phase contrast.",
        "-w",
        "--amplitude-contrast",
        group="Noise and optics",
        ge=0,
        le=1,
        advanced=True,
    )
    max_shift: float = option(
        0.04,
        "Greatest shift",
        "How far off-centre ordinary particles lie along x and y, as a share of the box.",
        "--max-shift",
        group="Views",
        ge=0,
        lt=0.5,
    )
    uneven_views: float = option(
        0.0,
        "Preferred views",
        "Share of the particles that lie in one of two preferred orientations.",
        "--uneven-views",
        group="Views",
        ge=0,
        le=1,
    )
    aggregates: float = option(
        0.0,
        "Aggregates",
        "Share of images that show several clumped particles.",
        "--aggregates",
        group="Junk",
        ge=0,
        le=1,
    )
    empty: float = option(
        0.0,
        "Empty boxes",
        "Share of images that show nothing but noise.",
        "--empty",
        group="Junk",
        ge=0,
        le=1,
    )
    off_centre: float = option(
        0.0,
        "Off-centre particles",
        "Share of particles that lie far from the place that their pose gives.",
        "--off-centre",
        group="Junk",
        ge=0,
        le=1,
    )
    false_poses: float = option(
        0.0,
        "False poses",
        "Share of particles whose given orientation is wrong.",
        "--false-poses",
        group="Junk",
        ge=0,
        le=1,
    )
    seed: int = option(
        0,
        "Seed",
        "Seed of every random number; the same one makes the same set.",
        "--seed",
        group="Images",
        ge=0,
        le=2**31 - 1,
    )

    @model_validator(mode="after")
    def _fits_together(self) -> SimulationConfig:
        if self.volumes and self.models:
            raise ValueError("give either volumes or atomic models as states, not both")
        if self.kind in ("states", "morph") and not (self.volumes or self.models):
            raise ValueError(f"kind '{self.kind}' needs volumes or atomic models as states")
        if self.kind in ("hinge", "composition", "both") and (self.volumes or self.models):
            raise ValueError(
                f"kind '{self.kind}' is one of the built-in complex; "
                "given volumes or models are 'states' or 'morph'"
            )
        if self.kind == "morph" and self.volumes:
            raise ValueError("volumes cannot be morphed into one another; give atomic models")
        if self.chains and not self.models:
            raise ValueError("chains can be named for an atomic model only")
        if self.volume_apix is not None and not self.volumes:
            raise ValueError("a pixel size of volumes was given, and no volumes")
        if self.defocus_max < self.defocus_min:
            raise ValueError("the greatest defocus is less than the least one")
        if any(not share > 0 for share in self.populations):
            raise ValueError("class populations must be greater than 0")
        if self.junk_share > 1:
            raise ValueError("more than all images would be junk")
        return self

    @property
    def junk_share(self) -> float:
        """Share of all images that are junk of any kind."""
        return self.aggregates + self.empty + self.off_centre + self.false_poses
