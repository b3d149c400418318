"""The form of the training configuration: every field goes in and comes out the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.widgets.form_editors import editor_for, next_in_series
from napari_cryodrgn.widgets.forms import ConfigForm, field_help

pytestmark = pytest.mark.gui

# Unlike the default for every field, so that a field that is not written shows.
OTHER = {
    "particles": Path("/data/particles.star"),
    "poses": Path("/data/poses.pkl"),
    "ctf": Path("/data/ctf.pkl"),
    "ind": Path("/data/ind.pkl"),
    "datadir": Path("/data/images"),
    "invert_data": False,
    "window": False,
    "window_r": 0.7,
    "ignore_ctf": True,
    "zdim": 4,
    "enc_layers": 2,
    "enc_dim": 300,
    "dec_layers": 5,
    "dec_dim": 128,
    "enc_mask": 12,
    "pe_type": "geom_lowf",
    "pe_dim": 7,
    "feat_sigma": 0.25,
    "domain": "hartley",
    "activation": "leaky_relu",
    "encode_mode": "mlp",
    "outdir": Path("/data/run"),
    "num_epochs": 7,
    "batch_size": 33,
    "lr": 3.5e-6,
    "wd": 1e-7,
    "schedule": "fast",
    "beta": 0.125,
    "beta_control": -2.5,
    "norm": (0.0, 1.2345),
    "seed": 123456789,
    "checkpoint": 3,
    "load": "latest",
    "do_pose_sgd": True,
    "pretrain": 5,
    "pose_lr": 2e-3,
    "emb_type": "s2s2",
    "lazy": True,
    "cache": "/data/cache",
    "device": "cpu",
    "amp": False,
    "compile": True,
    "threads": 2,
}
REQUIRED = {"particles": Path("p.star"), "outdir": Path("run")}


@pytest.fixture
def form(qtbot):
    form = ConfigForm(TrainingConfig)
    qtbot.addWidget(form)
    return form


def test_every_field_has_another_value_here():
    assert set(OTHER) == set(TrainingConfig.model_fields)
    for name, field in TrainingConfig.model_fields.items():
        assert OTHER[name] != field.default, name


def test_defaults_come_out_as_they_went_in(form):
    form.set_values(REQUIRED)
    assert form.validated() == TrainingConfig(**REQUIRED)


@pytest.mark.parametrize("name", list(TrainingConfig.model_fields))
def test_each_field_goes_in_and_comes_out_the_same(form, name):
    wanted = TrainingConfig(**(REQUIRED | {name: OTHER[name]}))
    form.set_values(REQUIRED | {name: OTHER[name]})
    assert form.validated() == wanted


def test_all_fields_at_once_and_back_to_none(form):
    wanted = TrainingConfig(**OTHER)
    form.set_values(wanted.model_dump())
    assert form.validated() == wanted
    form.set_values(TrainingConfig(**REQUIRED).model_dump())
    assert form.validated() == TrainingConfig(**REQUIRED)


@pytest.mark.parametrize("value", ["a", "d", 0.5, None])
def test_beta_takes_a_schedule_a_number_or_nothing(form, value):
    form.set_values(REQUIRED | {"beta": value})
    config = form.validated()
    assert config is not None
    assert config.beta == value


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("beta", "often", "give a number or give 'a', 'b', 'c' or 'd'"),
        ("enc_mask", "0", "must be at least 1"),
        ("enc_mask", "wide", "give a whole number"),
        ("feat_sigma", "-1", "must be more than 0"),
        ("norm", "1", "a value is missing"),
        ("norm", "1, x", "give a number"),
    ],
)
def test_an_error_stands_at_its_field_and_goes_when_it_is_mended(form, name, typed, message):
    form.set_values(REQUIRED)
    widget = form.rows[name].editor.widget
    edit = widget.lineEdit() if isinstance(widget, QComboBox) else widget
    edit.setText(typed)
    assert form.validated() is None
    shown = {row.name: row.error.text() for row in form.rows.values() if row.error.text()}
    assert list(shown) == [name]
    assert message in shown[name]
    assert not form.rows[name].error.isHidden()
    assert form.advanced.isExpanded()
    edit.clear()
    assert form.rows[name].error.isHidden()


def test_errors_without_a_row_stand_at_the_foot(qtbot):
    form = ConfigForm(TrainingConfig, leave_out={"particles", "outdir"})
    qtbot.addWidget(form)
    assert form.validated(particles=Path("p.star")) is None
    assert form.problem.text() == "Run folder: this is needed"
    form.set_values({"pe_type": "none", "domain": "hartley"})
    assert form.validated(**REQUIRED) is None
    assert "takes no latent" in form.problem.text()
    assert not form.problem.isHidden()


def test_typed_keys_reach_the_configuration(form, qtbot):
    form.set_values(REQUIRED)
    form.show()
    rate = form.rows["lr"].editor.widget
    rate.setFocus()
    rate.selectAll()
    qtbot.keyClicks(rate, "2.5e-5")
    qtbot.keyClick(rate, Qt.Key.Key_Return)
    config = form.validated()
    assert config is not None
    assert config.lr == 2.5e-5
    qtbot.keyClick(rate, Qt.Key.Key_Up)
    qtbot.keyClick(rate, Qt.Key.Key_Up)
    assert form.values()["lr"] == pytest.approx(1e-4)


def test_layer_widths_double_and_halve(form):
    width = form.rows["enc_dim"].editor.widget
    width.setValue(300)
    width.stepBy(1)
    assert width.value() == 512
    width.setValue(300)
    width.stepBy(-1)
    assert width.value() == 256


def test_the_series_runs_both_ways():
    values = [1e-6]
    for _ in range(6):
        values.append(next_in_series(values[-1], up=True))
    assert values == pytest.approx([1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4])
    assert next_in_series(1e-4, up=False) == pytest.approx(5e-5)
    assert next_in_series(0.0, up=False) == 0.0


def test_help_names_the_command_line_option():
    help_text = field_help(TrainingConfig.model_fields["zdim"])
    assert "--zdim" in help_text
    assert "How many numbers" in help_text


def test_a_field_type_without_an_editor_is_refused():
    class Odd(BaseModel):
        mapping: dict[str, int] = {}

    with pytest.raises(TypeError, match="no editor"):
        editor_for(Odd.model_fields["mapping"])


def test_the_wheel_over_a_field_without_the_keyboard_changes_nothing(form, qtbot):
    from qtpy.QtCore import QPoint, QPointF
    from qtpy.QtGui import QWheelEvent

    width = form.rows["enc_dim"].editor.widget
    before = width.value()
    middle = QPointF(width.rect().center())
    event = QWheelEvent(
        middle,
        middle,
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(width, event)
    assert width.value() == before
