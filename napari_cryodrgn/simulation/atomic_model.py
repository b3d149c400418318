"""Atomic models (mmCIF, PDB) as Gaussians, read with gemmi.

gemmi comes with the extra ``simulate`` and is imported only here, when it is needed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.simulation.gaussians import GaussianMolecule

# Spread of one atom's electrostatic potential, Å; B factors of models vary in meaning, so
# they are left out and the resolution asked for decides.
_ATOM_WIDTH = 0.7

_POLYMER_ELEMENTS = {"H": 1, "D": 1, "C": 6, "N": 7, "O": 8, "P": 15, "S": 16}
_SELENIUM = 34


def read_models(path: Path) -> list[dict[str, GaussianMolecule]]:
    """Atoms of every model in a file, by chain.

    Parameters
    ----------
    path : Path
        An mmCIF or PDB file, gzipped or not.

    Returns
    -------
    list of {chain name: GaussianMolecule}
        Without hydrogens and water; positions as in the file, Å; weights are atomic numbers.

    Raises
    ------
    InputError
        Where gemmi is not installed, or the file is missing, damaged or without atoms.
    """
    gemmi = _gemmi()
    if not path.is_file():
        raise InputError("there is no such file", file=path, field="model")
    try:
        # Names that are no text show only as they are looked at.
        models = [_chains(model) for model in gemmi.read_structure(str(path))]
    except (RuntimeError, ValueError, OSError, IndexError) as error:
        raise InputError(f"this is no readable atomic model ({error})", file=path) from error
    if not models or not all(models):
        raise InputError("this atomic model holds no atoms", file=path)
    return models


def chosen_chains(
    chains: dict[str, GaussianMolecule], names: str | None, path: Path
) -> GaussianMolecule:
    """Atoms of some chains of a model, in the model's order.

    Parameters
    ----------
    chains : {chain name: GaussianMolecule}
        The model.
    names : str or None
        Chain names with commas between them; None for all.
    path : Path
        Where the model comes from, for the message.

    Raises
    ------
    InputError
        Where the model has no such chain.
    """
    if names is None:
        return joined(list(chains.values()))
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in chains:
            raise InputError(
                f"the model has no such chain; it has {', '.join(chains)}",
                file=path,
                field="chains",
                value=name,
            )
    return joined([atoms for name, atoms in chains.items() if name in wanted])


def joined(molecules: list[GaussianMolecule]) -> GaussianMolecule:
    """Several molecules as one."""
    return GaussianMolecule(
        np.concatenate([molecule.positions for molecule in molecules]),
        np.concatenate([molecule.weights for molecule in molecules]),
        np.concatenate([molecule.widths for molecule in molecules]),
    )


def _gemmi() -> ModuleType:
    try:
        return importlib.import_module("gemmi")
    except ImportError as error:
        raise InputError(
            "atomic models are read with gemmi, which is not installed",
            field="model",
            hint="Install it: pip install 'napari-cryodrgn[simulate]'",
        ) from error


def _chains(model: Any) -> dict[str, GaussianMolecule]:
    """Heavy atoms of a gemmi model by chain; alternative locations other than the first left out.

    Residues are told by their atoms: programs have names of their own (HSD for histidine).
    PDB files without chain names (as simulation programs write them) give one chain named "".
    """
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for chain in model:
        atoms = found.setdefault(chain.name.strip(), [])
        for residue in chain:
            if residue.is_water():
                continue
            names = {atom.name for atom in residue}
            of_polymer = names >= {"N", "CA", "C"} or "C4'" in names
            for atom in residue:
                number = _atomic_number(atom, of_polymer)
                if number > 1 and atom.altloc in ("\0", "A", "1"):
                    atoms.append((atom.pos.x, atom.pos.y, atom.pos.z, float(number)))
    return {name: _molecule(atoms) for name, atoms in found.items() if atoms}


def _atomic_number(atom: Any, of_polymer: bool) -> int:
    """Atomic number; 0 where it cannot be known.

    Files of simulation programs have no element column and shift atom names, so that alpha
    carbons (CA) read as calcium and hydrogens (HG1) as mercury. No residue of a protein or
    nucleic acid holds such atoms; there the name's first letter is the element.
    """
    number = int(atom.element.atomic_number)
    if not of_polymer or number in _POLYMER_ELEMENTS.values() or number == _SELENIUM:
        return number
    first = atom.name.lstrip("0123456789'\"* ")[:1].upper()
    return _POLYMER_ELEMENTS.get(first, 0)


def _molecule(atoms: list[tuple[float, float, float, float]]) -> GaussianMolecule:
    table = np.array(atoms, dtype=np.float32)
    return GaussianMolecule(
        np.ascontiguousarray(table[:, :3]),
        np.ascontiguousarray(table[:, 3]),
        np.full(len(table), _ATOM_WIDTH, np.float32),
    )
