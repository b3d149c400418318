"""YAML read as data, and no more of it than the file's size speaks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text

LARGEST_YAML = 1 << 20
"""Bytes; settings of a run are some thousand."""

MOST_VALUES = 100_000
"""Values, or times 32 characters, that a file may stand for once every reference to an anchor is
written out. Ten lines of references to references stand for 10^9."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file of plain values.

    Parameters
    ----------
    path : Path

    Returns
    -------
    object
        Mappings, lists, text, numbers, dates.

    Raises
    ------
    InputError
        Where the file is missing, too large, no YAML, or stands for more than it holds.
    """
    text = read_text(path, LARGEST_YAML, "YAML")
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, path)
        return loader.construct_document(node)
    # Values of a named type that are none raise all but YAMLError: dates, numbers, bytes.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"this is no readable YAML ({error})", file=path) from error
    except (RecursionError, OverflowError) as error:
        raise InputError(f"this is no readable YAML ({error})", file=path) from error
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[yaml.Node, int], path: Path) -> int:
    """Values that a node stands for; refuses too many, and nodes that hold themselves."""
    if node in counted:
        return counted[node]
    counted[node] = MOST_VALUES + 1  # for as long as it is within itself
    children: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    total = 1 + len(node.value) // 32 if isinstance(node, yaml.ScalarNode) else 1
    for child in children:
        total += _count(child, counted, path)
        if total > MOST_VALUES:
            raise InputError(
                f"this YAML stands for more than {MOST_VALUES:,} values, or for itself", file=path
            )
    counted[node] = total
    return total
