"""What a run folder holds, and what of it is damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc_header import read_header
from napari_cryodrgn.io.pickles import Latents, read_latents
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import refuse_if_locked
from napari_cryodrgn.workflows.analysis_files import (
    CENTERS,
    CENTERS_IND,
    LABELS,
    Z_VALUES,
    list_volumes,
    read_labels,
    read_positions,
    read_umap,
)
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.z_values import read_z_values

Result = TypeVar("Result")

_KINDS = {
    "vae": "VAE, poses known (train_vae)",
    "nn": "single volume (train_nn)",
    "dec": "auto-decoder (train_dec)",
    "abinit": "ab initio (abinit)",
    "abinit_het_old": "ab initio (abinit_het_old)",
}


def describe_run(path: Path) -> tuple[list[str], list[str], list[str]]:
    """What a run folder holds.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    lines : list of str
        What it is.
    faults : list of str
        What of it is damaged, or what it names and cannot be used.
    missing : list of str
        What it names that is missing, and where it was looked for.

    Raises
    ------
    InputError
        Where the folder holds no run.
    """
    run = RunFolder.existing(path)
    faults: list[str] = []
    latents = _latents(run, faults)
    for epoch in [*run.weight_epochs(), None]:
        weights = run.weights(epoch)
        if weights.is_file():
            _note(faults, _check_weights, weights)
    opened = open_run(path)
    lines = [f"run folder: {path}"]
    if opened.config is not None:
        lines.append(describe_config(opened.config))
    lines += _epoch_lines(run, latents, opened)
    for epoch in run.analysis_epochs():
        n = len(latents[epoch].mu) if epoch in latents else None
        lines.append(_analysis(run, epoch, n, faults))
    try:
        refuse_if_locked(run.lock)
    except InputError as error:
        lines.append(error.problem)
    damaged = "\n".join(faults)
    # Damage is told once, and not again as something that is missing.
    missing = []
    for problem in opened.problems:
        text = str(problem)
        if problem.unusable and text.partition(": ")[2] not in damaged:
            faults.append(text)
        elif problem.tried:
            missing.append(text)
        elif not problem.unusable:
            lines.append(text)
    return lines, faults, missing


def describe_config(config: RunConfig) -> str:
    """A run's configuration in one line."""
    model = config.model
    parts = [_KINDS[config.kind]]
    if config.kind != "abinit":
        parts.append(f"box {config.box} px")
    if model.zdim:
        parts.append(f"{model.zdim} latent dimensions")
    if config.kind == "vae":
        parts.append(f"encoder {model.enc_layers} x {model.enc_dim}")
    if config.kind != "abinit":
        parts.append(f"decoder {model.dec_layers} x {model.dec_dim}")
    parts += [f"{model.domain} domain", f"{model.pe_type} encoding"]
    if config.tilt_series:
        parts.append("tilt series")
    if config.version:
        parts.append(f"cryoDRGN {config.version}")
    return ", ".join(parts)


def _latents(run: RunFolder, faults: list[str]) -> dict[int | None, Latents]:
    """The latents of every epoch that can be read."""
    found: dict[int | None, Latents] = {}
    for epoch in [*run.latent_epochs(), None]:
        path = run.latents(epoch)
        if not path.is_file():
            continue
        latents = _note(faults, read_latents, path)
        if latents is None:
            continue
        shapes = {other.mu.shape for other in found.values()}
        if shapes and latents.mu.shape not in shapes:
            faults.append(f"{path}: its shape {latents.mu.shape} is not that of other epochs")
        found[epoch] = latents
    return found


def _epoch_lines(run: RunFolder, latents: dict[int | None, Latents], opened: OpenRun) -> list[str]:
    lines = []
    if latents:
        n, zdim = next(reversed(latents.values())).mu.shape
        epochs = _ranges(run.latent_epochs(), final=run.latents().is_file())
        lines.append(f"latents: {n} particles, {zdim} dimensions, {epochs}")
    lines.append(f"weights: {_ranges(run.weight_epochs(), final=run.weights().is_file())}")
    if opened.pixel_size is not None:
        lines.append(f"pixel size: {opened.pixel_size:g} Å")
    return lines


def _analysis(run: RunFolder, epoch: int, n: int | None, faults: list[str]) -> str:
    analysis = run.analysis(epoch)
    parts = []
    has_umap = analysis.umap.is_file() and n is not None
    if has_umap and _note(faults, read_umap, analysis.umap, n) is not None:
        parts.append("UMAP")
    for count in analysis.kmeans_counts():
        labels = analysis.kmeans(count) / LABELS
        if n is not None and labels.is_file():
            _note(faults, read_labels, labels, n, count)
        parts.append(f"k-means of {count}")
        _check_texts(analysis.kmeans(count), faults)
    for number in analysis.pc_numbers():
        parts.append(f"PC {number}")
        _check_texts(analysis.pc(number), faults)
    volumes = list_volumes(analysis)
    whole = [volume for volume in volumes if _note(faults, read_header, volume.path) is not None]
    parts.append(f"{len(whole)} volumes")
    return f"analysis of epoch {epoch}: {', '.join(parts)}"


def _check_texts(folder: Path, faults: list[str]) -> None:
    """Look at the tables of latent points and row numbers that a folder has."""
    readers: dict[str, Callable[[Path], object]] = {
        Z_VALUES: read_z_values,
        CENTERS: read_z_values,
        CENTERS_IND: read_positions,
    }
    for name, reader in readers.items():
        if (folder / name).is_file():
            _note(faults, reader, folder / name)


def _check_weights(path: Path) -> bool:
    """Check every byte of a checkpoint, without building its tensors where that will do."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise InputError(f"its part {broken} is damaged", file=path)
        return True
    # Written before torch 1.6, or cut short: only reading it tells.
    from napari_cryodrgn.model.checkpoint import read_checkpoint

    read_checkpoint(path)
    return True


def _note(faults: list[str], function: Callable[..., Result], *arguments: object) -> Result | None:
    try:
        return function(*arguments)
    except InputError as error:
        faults.append(str(error))
        return None


def _ranges(epochs: list[int], *, final: bool) -> str:
    """Epochs in short: 'epochs 1 to 20', 'epochs 5, 10, 15 and final'."""
    if not epochs:
        return "final" if final else "none"
    listed = ", ".join(map(str, epochs))
    if len(epochs) > 2 and epochs == list(range(epochs[0], epochs[-1] + 1)):
        listed = f"{epochs[0]} to {epochs[-1]}"
    return f"epoch{'s' if len(epochs) > 1 else ''} {listed}{' and final' if final else ''}"
