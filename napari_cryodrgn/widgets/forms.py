"""A Qt form made from a pydantic model: one row a field, errors shown at the field.

Titles, help, bounds, groups and option names stand on the model's fields (see
``config.option``), so that the window and the command line say the same.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.form_editors import Editor, editor_for

Model = TypeVar("Model", bound=BaseModel)

LABEL_WIDTH = 148
ERROR_STYLE = "color: #ff8080;"

_MESSAGES = {
    "missing": "this is needed",
    "int_parsing": "give a whole number",
    "int_type": "give a whole number",
    "int_from_float": "give a whole number",
    "float_parsing": "give a number",
    "float_type": "give a number",
    "path_type": "this is needed",
    "too_long": "give two numbers, as in 0, 1.5",
    "tuple_type": "give two numbers, as in 0, 1.5",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "give {expected}",
}


class FieldRow(QWidget):
    """An editor with room for an error beneath it."""

    def __init__(self, name: str, field: FieldInfo, label_width: int) -> None:
        super().__init__()
        self.name = name
        self.editor: Editor = editor_for(field)
        self.editor.widget.setObjectName(name)
        self.editor.widget.setToolTip(field_help(field))
        self.label = QLabel(field.title or name)
        self.label.setToolTip(field_help(field))
        self.label.setFixedWidth(label_width)
        self.label.setBuddy(self.editor.widget)
        self.error = QLabel()
        self.error.setWordWrap(True)
        self.error.setStyleSheet(ERROR_STYLE)
        self.error.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.editor.widget)
        layout.addWidget(self.error)

    def show_error(self, message: str) -> None:
        """Show what is wrong with the value; nothing is with an empty message."""
        self.error.setText(message)
        self.error.setVisible(bool(message))


class ConfigForm(QWidget, Generic[Model]):
    """Form that edits a pydantic model.

    Parameters
    ----------
    model : type of BaseModel
        Its fields carry ``group`` and ``advanced`` in ``json_schema_extra``.
    leave_out : collection of str
        Fields that are set elsewhere and get no row.
    headings : bool
        Whether to show the groups' names.
    label_width : int
        Width of the labels, px.
    """

    changed = Signal(str)

    def __init__(
        self,
        model: type[Model],
        *,
        leave_out: Collection[str] = (),
        headings: bool = True,
        label_width: int = LABEL_WIDTH,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._headings = headings
        self._label_width = label_width
        self.rows: dict[str, FieldRow] = {}
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet(ERROR_STYLE)
        self.problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        fields = {n: f for n, f in model.model_fields.items() if n not in leave_out}
        for field_name, field in fields.items():
            self._add_row(field_name, field)
        essential = {n: f for n, f in fields.items() if not _extra(f, "advanced")}
        hidden = {n: f for n, f in fields.items() if n not in essential}
        layout.addWidget(self._section(essential))
        self.advanced = Fold("More options", self._section(hidden))
        self.advanced.setVisible(bool(hidden))
        layout.addWidget(self.advanced)
        layout.addWidget(self.problem)
        self.set_values({n: f.get_default() for n, f in fields.items() if not f.is_required()})

    def values(self) -> dict[str, Any]:
        """What stands in the form, by field, unchecked."""
        return {name: row.editor.read() for name, row in self.rows.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Fill fields; those that have no row are passed over."""
        for name, value in values.items():
            if name in self.rows:
                self.rows[name].editor.write(value)

    def validated(self, **others: Any) -> Model | None:
        """The model that the form describes, or None with the errors shown.

        Parameters
        ----------
        **others
            Values of the fields that have no row.
        """
        self._clear_errors()
        try:
            return self._model(**self.values(), **others)
        except ValidationError as error:
            self._show_errors(error)
            return None

    def set_row_visible(self, name: str, visible: bool) -> None:
        """Show or hide a field with its label."""
        self.rows[name].setVisible(visible)
        self.rows[name].label.setVisible(visible)

    def show_error(self, name: str, message: str) -> None:
        """Show at a field what is wrong with it, and bring it into view."""
        row = self.rows[name]
        row.show_error(message)
        if self.advanced.isAncestorOf(row):
            self.advanced.open()
        row.editor.widget.setFocus()
        _scroll_to(row)

    def _add_row(self, name: str, field: FieldInfo) -> None:
        row = FieldRow(name, field, self._label_width)
        row.editor.changed.connect(lambda *_: self._on_change(name))
        self.rows[name] = row

    def _on_change(self, name: str) -> None:
        self.rows[name].show_error("")
        self.changed.emit(name)

    def _section(self, fields: Mapping[str, FieldInfo]) -> QWidget:
        """Rows under the heading of their group."""
        section = QWidget()
        layout = QFormLayout(section)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        groups = dict.fromkeys(_extra(field, "group") or "" for field in fields.values())
        for group in groups:
            if group and self._headings:
                layout.addRow(heading(group))
            for name, field in fields.items():
                if (_extra(field, "group") or "") == group:
                    layout.addRow(self.rows[name].label, self.rows[name])
        return section

    def _clear_errors(self) -> None:
        self.problem.hide()
        for row in self.rows.values():
            row.show_error("")

    def _show_errors(self, error: ValidationError) -> None:
        by_field: dict[str, list[str]] = {}
        for detail in error.errors():
            name = str(detail["loc"][0]) if detail["loc"] else ""
            by_field.setdefault(name, []).append(error_text(detail))
        shown = [name for name in by_field if name in self.rows]
        for name in reversed(shown):  # the first one is left in view
            self.show_error(name, " or ".join(dict.fromkeys(by_field[name])))
        elsewhere = [
            f"{self._title(name)}: {message}" if name else message
            for name, messages in by_field.items()
            if name not in self.rows
            for message in messages
        ]
        self.problem.setText("\n".join(elsewhere))
        self.problem.setVisible(bool(elsewhere))

    def _title(self, name: str) -> str:
        field = self._model.model_fields.get(name)
        return name if field is None or field.title is None else field.title


def heading(text: str) -> QLabel:
    """A group's title within a dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    label.setContentsMargins(0, 6, 0, 0)
    return label


def field_help(field: FieldInfo) -> str:
    """Tool tip of a field: its help and its command-line names."""
    names = _extra(field, "names") or []
    option = f"<p><code>{html.escape(', '.join(names))}</code></p>" if names else ""
    return f"<p>{html.escape(field.description or '')}</p>{option}"


def error_text(detail: ErrorDetails) -> str:
    """One of pydantic's errors in plain words."""
    if detail["type"] == "missing" and len(detail["loc"]) > 1:
        return "a value is missing"
    template = _MESSAGES.get(detail["type"])
    if template is not None:
        return template.format(**detail.get("ctx", {}))
    return detail["msg"].removeprefix("Value error, ")


def _extra(field: FieldInfo, key: str) -> Any:
    extra = field.json_schema_extra
    return extra.get(key) if isinstance(extra, dict) else None


def _scroll_to(row: QWidget) -> None:
    """Bring a row into view where the form lies in a scroll area."""
    parent = row.parentWidget()
    while parent is not None and not isinstance(parent, QScrollArea):
        parent = parent.parentWidget()
    if parent is not None:
        parent.ensureWidgetVisible(row)
