"""Every setting is an option, with the names and bounds that stand on its field."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pydantic
import pytest
import typer
from typer.testing import CliRunner

from napari_cryodrgn.commandline.model_options import command_of, list_options, option_names
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.simulation.config import SimulationConfig

MODELS = [TrainingConfig, SimulationConfig]


def parse(model: type[pydantic.BaseModel], *words: str) -> tuple[Any, str, int]:
    """The model that words make, what was said, and the exit status."""
    made: list[Any] = []
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command_of(model, made.append))
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    return (made[0] if made else None), result.output, result.exit_code


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_an_option(model: type[pydantic.BaseModel]) -> None:
    _, help_text, status = parse(model, "--help")
    assert status == 0
    for name, field in model.model_fields.items():
        for option in option_names(field) or [name]:
            for half in option.split("/"):
                assert half in help_text


@pytest.mark.parametrize("model", MODELS)
def test_names_are_used_once(model: type[pydantic.BaseModel]) -> None:
    names = [
        half
        for field in model.model_fields.values()
        for option in option_names(field)
        for half in option.split("/")
    ]
    assert len(names) == len(set(names))


def test_defaults_are_those_of_the_model() -> None:
    made, _, _ = parse(TrainingConfig, "a.star", "-o", "run")
    assert made == TrainingConfig(particles=Path("a.star"), outdir=Path("run"))
    assert parse(SimulationConfig)[0] == SimulationConfig()


def test_options_of_every_kind() -> None:
    words = "a.mrcs -o run --poses p.pkl --zdim 4 -n 3 -b 8 --lr 1e-3 --beta b --norm -0.5 94"
    made, _, _ = parse(
        TrainingConfig, *words.split(), "--uninvert-data", "--pe-type", "geom_lowf", "--no-amp"
    )
    assert made == TrainingConfig(
        particles=Path("a.mrcs"),
        outdir=Path("run"),
        poses=Path("p.pkl"),
        zdim=4,
        num_epochs=3,
        batch_size=8,
        lr=1e-3,
        beta="b",
        norm=(-0.5, 94.0),
        invert_data=False,
        pe_type="geom_lowf",
        amp=False,
    )
    assert parse(TrainingConfig, "a", "-o", "b", "--beta", "0.25")[0].beta == 0.25
    made, _, _ = parse(SimulationConfig, "--population", "0.5", "--population", "2")
    assert made.populations == (0.5, 2.0)
    assert list_options(SimulationConfig) == {"--population"}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("--zdim -1", "--zdim"),
        ("--zdim 2.5", "--zdim"),
        ("--lr 0", "--lr"),
        ("--beta x", "--beta"),
        ("--pe-type wrong", "--pe-type"),
        ("--norm 1", "--norm"),
        ("--nothing", "--nothing"),
    ],
)
def test_wrong_usage_names_the_option(words: str, option: str) -> None:
    made, output, status = parse(TrainingConfig, "a.star", "-o", "run", *words.split())
    assert made is None
    assert status == 2
    assert option in output


def test_a_contradiction_between_options_is_wrong_usage() -> None:
    _, output, status = parse(SimulationConfig, "--kind", "states")
    assert status == 2
    assert "needs volumes or atomic models" in output


def test_extra_parameters_are_handed_on() -> None:
    seen: dict[str, Any] = {}
    extra = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, annotation=Path)

    def run(config: SimulationConfig, out: Path) -> None:
        seen.update(config=config, out=out)

    app = typer.Typer()
    app.command()(command_of(SimulationConfig, run, [extra]))
    CliRunner().invoke(app, ["folder", "--snr", "inf"])
    assert seen["out"] == Path("folder")
    assert seen["config"].snr == float("inf")
