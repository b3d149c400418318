"""What a volume is, in words: whose, of which epoch, how good, how large a voxel."""

from __future__ import annotations

from typing import Any

from napari_cryodrgn.session_records import ShownVolume

MOST_Z = 8
"""Latent coordinates that are written out."""


def title_text(volume: ShownVolume) -> str:
    """Whose volume it is: 'Particle 1176 · epoch 20'."""
    if volume.pick is not None and volume.file is not None:
        who = f"Volume nearest to particle {volume.pick.row:,}"
    elif volume.pick is not None:
        who = f"Particle {volume.pick.row:,}"
    elif len(volume.z):
        who = "Latent point"
    else:
        who = "Volume of all particles"
    return f"{who}  ·  epoch {volume.epoch}"


def facts_text(volume: ShownVolume) -> str:
    """Its image, its latent point, how good it is, how large a voxel, how long it took."""
    lines = []
    if volume.pick is not None and volume.pick.name:
        lines.append(volume.pick.name)
    if len(volume.z):
        lines.append(f"z = {z_text(volume)}")
    size = "pixel size unknown" if volume.pixel_size is None else f"{volume.pixel_size:.4g} Å/voxel"
    facts = [rung_text(volume), size]
    if volume.seconds is not None:
        facts.append(seconds_text(volume.seconds))
    if measured_text(volume):
        facts.append(measured_text(volume))
    lines.append("  ·  ".join(facts))
    return "\n".join(lines)


def rung_text(volume: ShownVolume) -> str:
    """How good it is: 'surrogate, expected error 8 %', 'preview, 40 px of 64', 'exact, 64 px'."""
    if volume.file is not None:
        return volume.rung
    if volume.rung == "surrogate":
        expected = "" if volume.error is None else f", expected error {volume.error:.0%}"
        return f"surrogate{expected}".replace("%", " %")
    of = volume.full_box
    size = f"{volume.box} px" if of in (None, volume.box) else f"{volume.box} px of {of}"
    return f"{volume.rung}, {size}"


def measured_text(volume: ShownVolume) -> str:
    """What the surrogate of this z turned out to be worth; "" where there was none."""
    if volume.measured_error is None:
        return ""
    return f"its surrogate was {volume.measured_error:.0%} off".replace("%", " %")


def status_text(volume: ShownVolume) -> str:
    """One line for the status bar: rung, z, time."""
    parts = [rung_text(volume)]
    if len(volume.z):
        parts.append(f"z {z_text(volume)}")
    if volume.seconds is not None:
        parts.append(seconds_text(volume.seconds))
    return " · ".join(parts)


def z_text(volume: ShownVolume) -> str:
    """Its latent coordinates, the first few where there are many."""
    shown = ", ".join(f"{value:.3g}" for value in volume.z[:MOST_Z])
    return f"({shown}{', …' if len(volume.z) > MOST_Z else ''})"


def seconds_text(seconds: float) -> str:
    """A short time: '180 ms', '2.4 s'."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def layer_name(volume: ShownVolume, taken: set[str]) -> str:
    """Name of a layer that keeps it; numbered where that name is taken."""
    who = "state" if volume.pick is None else f"particle {volume.pick.row}"
    name = f"{who} · epoch {volume.epoch}"
    number = 2
    numbered = name
    while numbered in taken:
        numbered = f"{name} ({number})"
        number += 1
    return numbered


def details_of(volume: ShownVolume) -> dict[str, Any]:
    """What a kept layer remembers of it."""
    return {
        "epoch": volume.epoch,
        "z": volume.z.tolist(),
        "particle_row": None if volume.pick is None else volume.pick.row,
        "particle_name": None if volume.pick is None else volume.pick.name,
        "pixel_size": volume.pixel_size,
        "rung": volume.rung,
        "box": volume.box,
        "full_box": volume.full_box,
        "file": None if volume.file is None else str(volume.file),
        "volume": volume.data,
    }
