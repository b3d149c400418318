"""Settings of a training and of the run it makes, as pydantic models.

`TrainingConfig` is at once the command line's options, the window's form and
the check of both: titles, help, bounds and option names stand on its fields.
`RunConfig` is what ``config.yaml`` says of a run; ``io.run_config`` reads and
writes that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositionalEncoding = Literal[
    "geom_ft", "geom_full", "geom_lowf", "geom_nohighf", "linear_lowf", "gaussian", "none"
]
Domain = Literal["fourier", "hartley"]
Activation = Literal["relu", "leaky_relu"]
RotationEmbedding = Literal["quat", "s2s2"]
RunKind = Literal["vae", "nn", "dec", "abinit", "abinit_het_old"]

BETA_SCHEDULES = ("a", "b", "c", "d")


def option(
    default: Any, title: str, help_text: str, *names: str, group: str, **constraints: Any
) -> Any:
    """A field with its form title, its help, its command-line names and its group."""
    advanced = constraints.pop("advanced", False)
    return Field(
        default,
        title=title,
        description=help_text,
        json_schema_extra={"names": list(names), "group": group, "advanced": advanced},
        **constraints,
    )


class ModelConfig(BaseModel):
    """Shape of the network: encoder, latent and decoder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zdim: int = option(
        8,
        "Latent dimensions",
        "How many numbers describe the shape of one particle. 8 suits most first runs; "
        "0 trains one single volume.",
        "--zdim",
        group="Model",
        ge=0,
        le=256,
    )
    enc_layers: int = option(
        3,
        "Encoder layers",
        "Hidden layers of the encoder, which reads an image and says where it lies "
        "in the latent space.",
        "--enc-layers",
        group="Model",
        ge=0,
        le=32,
        advanced=True,
    )
    enc_dim: int = option(
        1024,
        "Encoder width",
        "Units in each hidden layer of the encoder. 256 is faster; 1024 is cryoDRGN's default.",
        "--enc-dim",
        group="Model",
        ge=1,
        le=16384,
    )
    dec_layers: int = option(
        3,
        "Decoder layers",
        "Hidden layers of the decoder, which turns a latent point into a volume.",
        "--dec-layers",
        group="Model",
        ge=0,
        le=32,
        advanced=True,
    )
    dec_dim: int = option(
        1024,
        "Decoder width",
        "Units in each hidden layer of the decoder. Wider ones show finer detail and "
        "take longer; on a computer without a GPU stay at 256 or below.",
        "--dec-dim",
        group="Model",
        ge=1,
        le=16384,
    )
    enc_mask: int | None = option(
        None,
        "Encoder mask radius",
        "Radius in pixels of the part of each image's transform that the encoder sees; "
        "half the box if empty.",
        "--enc-mask",
        group="Model",
        ge=1,
        advanced=True,
    )
    pe_type: PositionalEncoding = option(
        "gaussian",
        "Positional encoding",
        "How the decoder is told where in frequency space it is.",
        "--pe-type",
        group="Model",
        advanced=True,
    )
    pe_dim: int | None = option(
        None,
        "Encoding frequencies",
        "Number of frequencies of the positional encoding; half the box if empty.",
        "--pe-dim",
        group="Model",
        ge=1,
        advanced=True,
    )
    feat_sigma: float | None = option(
        0.5,
        "Encoding spread",
        "Spread of the random frequencies of the Gaussian encoding.",
        "--feat-sigma",
        group="Model",
        gt=0,
        advanced=True,
    )
    domain: Domain = option(
        "fourier",
        "Decoder domain",
        "Whether the decoder predicts Fourier or Hartley coefficients.",
        "--domain",
        group="Model",
        advanced=True,
    )
    activation: Activation = option(
        "relu",
        "Activation",
        "Non-linearity between the layers.",
        "--activation",
        group="Model",
        advanced=True,
    )
    encode_mode: Literal["resid", "mlp"] = option(
        "resid",
        "Encoder kind",
        "Residual layers (cryoDRGN's default) or plain ones.",
        "--encode-mode",
        group="Model",
        advanced=True,
    )


class ParticleConfig(BaseModel):
    """Which particles a run is made from, and how their images are prepared."""

    model_config = ConfigDict(extra="forbid")

    particles: Path = option(
        ..., "Particles", "Particle set: .star, .cs, .mrcs, .mrc or .txt.", group="Particles"
    )
    poses: Path | None = option(
        None,
        "Poses",
        "cryoDRGN's poses.pkl. Not needed with .star and .cs, which bring their own.",
        "--poses",
        group="Particles",
    )
    ctf: Path | None = option(
        None,
        "CTF",
        "cryoDRGN's ctf.pkl. Not needed with .star and .cs, which bring their own.",
        "--ctf",
        group="Particles",
    )
    ind: Path | None = option(
        None,
        "Keep only",
        "Indices of the particles to use (ind.pkl), counted from 0 in the full set.",
        "--ind",
        group="Particles",
    )
    datadir: Path | None = option(
        None,
        "Image folder",
        "Folder in which the image files named by the .star or .cs are looked for.",
        "--datadir",
        group="Particles",
    )
    invert_data: bool = option(
        True,
        "Invert contrast",
        "On where particles are bright on a dark ground, as RELION and cryoSPARC extract "
        "them; off where they are dark on a bright one.",
        "--invert-data/--uninvert-data",
        group="Particles",
    )
    window: bool = option(
        True,
        "Window images",
        "Fade the corners of each image to zero.",
        "--window/--no-window",
        group="Particles",
        advanced=True,
    )
    window_r: float = option(
        0.85,
        "Window radius",
        "Where the fade begins, as a fraction of half the box.",
        "--window-r",
        group="Particles",
        gt=0,
        lt=0.99,
        advanced=True,
    )
    ignore_ctf: bool = option(
        False,
        "Ignore CTF",
        "Train without a CTF even where the particle file has one.",
        "--ignore-ctf",
        group="Particles",
        advanced=True,
    )


class TrainingConfig(ParticleConfig, ModelConfig):
    """Everything that one training is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outdir: Path = option(
        ..., "Run folder", "Folder to write the run to.", "-o", "--outdir", group="Training"
    )
    num_epochs: int = option(
        20,
        "Epochs",
        "How many times every particle is looked at.",
        "-n",
        "--num-epochs",
        group="Training",
        ge=1,
    )
    schedule: Literal["cryodrgn", "fast"] = option(
        "cryodrgn",
        "Schedule",
        "cryodrgn: exactly cryoDRGN's training. fast: low frequencies first, steps that also learn "
        "rare differences soon (Muon) and shrink towards the end, and half precision where a CPU "
        "is quicker with it; as good in less time.",
        "--schedule",
        group="Training",
    )
    batch_size: int = option(
        16, "Batch size", "Images in each step.", "-b", "--batch-size", group="Training", ge=1
    )
    lr: float = option(
        1e-4, "Learning rate", "Step size of the optimiser.", "--lr", group="Training", gt=0
    )
    wd: float = option(
        0.0,
        "Weight decay",
        "Pull of the weights towards zero.",
        "--wd",
        group="Training",
        ge=0,
        advanced=True,
    )
    beta: float | Literal["a", "b", "c", "d"] | None = option(
        None,
        "KL weight (beta)",
        "Pull of the latents towards a unit Gaussian: a number, or one of cryoDRGN's "
        "schedules a, b, c, d; 1 / latent dimensions if empty.",
        "--beta",
        group="Training",
        advanced=True,
    )
    beta_control: float | None = option(
        None,
        "KL control (gamma)",
        "Hold the KL divergence near beta with this strength instead.",
        "--beta-control",
        group="Training",
        advanced=True,
    )
    norm: tuple[float, float] | None = option(
        None,
        "Normalisation",
        "Mean and standard deviation to divide out; measured from the images if empty.",
        "--norm",
        group="Training",
        advanced=True,
    )
    seed: int | None = option(
        None,
        "Seed",
        "Seed of every random number; drawn and written down if empty.",
        "--seed",
        group="Training",
        ge=0,
        le=2**31 - 1,
        advanced=True,
    )
    checkpoint: int = option(
        1,
        "Save every",
        "Epochs between checkpoints.",
        "--checkpoint",
        group="Training",
        ge=1,
        advanced=True,
    )
    load: str | None = option(
        None,
        "Continue from",
        "'latest' to go on with the run in the run folder, or a weights file.",
        "--load",
        group="Training",
        advanced=True,
    )
    do_pose_sgd: bool = option(
        False,
        "Refine poses",
        "Improve the orientation and the shift of every particle while training, from those "
        "given. For poses that are a few degrees or pixels off; epochs take a little longer.",
        "--do-pose-sgd/--no-pose-sgd",
        group="Poses",
        advanced=True,
    )
    pretrain: int = option(
        1,
        "Epochs before",
        "Epochs with the poses as given, before they are refined: the model must know "
        "something first.",
        "--pretrain",
        group="Poses",
        ge=0,
        advanced=True,
    )
    pose_lr: float = option(
        3e-4,
        "Pose learning rate",
        "Step size of the poses: larger ones reach poses further away, smaller ones settle closer.",
        "--pose-lr",
        group="Poses",
        gt=0,
        advanced=True,
    )
    emb_type: RotationEmbedding = option(
        "quat",
        "Orientations as",
        "How orientations are described to the optimiser: quaternions, or two directions (s2s2).",
        "--emb-type",
        group="Poses",
        advanced=True,
    )
    lazy: bool = option(
        False,
        "Read from disk",
        "Read images from disk as they are needed, also where they would fit in memory. What "
        "does not fit is read from disk anyway.",
        "--lazy/--no-lazy",
        group="Hardware",
        advanced=True,
    )
    cache: str | None = option(
        None,
        "Image cache",
        "Folder in which images that are read from disk are kept ready between epochs, or "
        "'none'; one in your cache folder if empty.",
        "--cache",
        group="Hardware",
        advanced=True,
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = option(
        "auto",
        "Device",
        "Where to compute; auto takes a GPU where there is one.",
        "--device",
        group="Hardware",
    )
    amp: bool = option(
        True,
        "Mixed precision",
        "Faster arithmetic on GPUs that have it.",
        "--amp/--no-amp",
        group="Hardware",
        advanced=True,
    )
    compile: bool = option(
        False,
        "Compile",
        "Have PyTorch compile the step, which takes a minute, and use it where it is quicker. "
        "For GPUs: on a CPU most steps are done another way.",
        "--compile/--no-compile",
        group="Hardware",
        advanced=True,
    )
    threads: int | None = option(
        None,
        "CPU threads",
        "Threads to compute with; all cores if empty.",
        "--threads",
        group="Hardware",
        ge=1,
        advanced=True,
    )

    @model_validator(mode="after")
    def _no_encoding_is_fourier_only(self) -> TrainingConfig:
        if self.pe_type == "none" and self.domain == "hartley" and self.zdim:
            raise ValueError("the Hartley decoder without positional encoding takes no latent")
        return self

    def model(self) -> ModelConfig:
        """The part that describes the network."""
        return ModelConfig(**{name: getattr(self, name) for name in ModelConfig.model_fields})


class RunConfig(BaseModel):
    """What ``config.yaml`` says of a run, whatever its kind and version.

    ``io.run_config`` maps cryoDRGN's keys to these and back. `box` is 0 where the
    file does not say it (abinit); the checkpoint does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: RunKind = "vae"
    version: str = ""
    seed: int | None = None
    cmd: list[str] = []
    box: Annotated[int, Field(ge=0, le=4096)]
    model: ModelConfig
    norm: tuple[float, float] | None = None
    particles: str | None = None
    poses: str | None = None
    ctf: str | None = None
    ind: str | None = None
    datadir: str | None = None
    invert_data: bool = True
    window: bool = True
    window_r: float = 0.85
    refines_poses: bool = False
    tilt_series: bool = False
    training: dict[str, Any] = {}
