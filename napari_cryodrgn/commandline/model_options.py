"""Command-line options made from a pydantic model, and the model made from them again."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import annotated_types
import pydantic
import typer
from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=pydantic.BaseModel)


def command_of(
    model: type[Model],
    run: Callable[..., None],
    extra: list[inspect.Parameter] | None = None,
) -> Callable[..., None]:
    """A typer command whose options are the fields of a model.

    Names, help, groups and bounds are those on the fields (see
    ``config.option``), so that window and command line cannot differ.

    Parameters
    ----------
    model : pydantic model class
        A field without option names becomes an argument.
    run : callable
        Called with the model, and the extra parameters by name.
    extra : list of inspect.Parameter, optional
        Parameters that only the command line has, as typer wants them; those
        without default come first.

    Returns
    -------
    callable
        To be registered with typer.
    """
    extra = extra or []
    own = {parameter.name for parameter in extra}
    parameters = [_parameter(name, field) for name, field in model.model_fields.items()]
    # Python wants parameters without default first.
    parameters = sorted([*extra, *parameters], key=lambda found: found.default is not found.empty)

    def command(**values: Any) -> None:
        given = {name: value for name, value in values.items() if name not in own}
        others = {name: value for name, value in values.items() if name in own}
        run(model_from_options(model, given), **others)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {found.name: found.annotation for found in parameters}
    return command


def model_from_options(model: type[Model], values: dict[str, Any]) -> Model:
    """The model of the values that typer has parsed.

    Raises
    ------
    typer.BadParameter
        Naming the option, where a value does not fit.
    """
    try:
        return model.model_validate({name: value for name, value in values.items() if value != []})
    except pydantic.ValidationError as error:
        errors = error.errors()
        first = errors[0]
        # A field of several types has an error for each of them.
        about = [found["msg"] for found in errors if found["loc"][:1] == first["loc"][:1]]
        message = " or ".join(text.removeprefix("Value error, ") for text in about)
        if not first["loc"]:
            raise typer.BadParameter(message) from error
        name = str(first["loc"][0])
        raise typer.BadParameter(
            f"{message} (given: {first['input']})",
            param_hint=option_names(model.model_fields[name]) or [name.upper()],
        ) from error


def option_names(field: FieldInfo) -> list[str]:
    """Names of a field on the command line; none for an argument."""
    extra = field.json_schema_extra
    names = extra.get("names") if isinstance(extra, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def parameters_of(model: type[pydantic.BaseModel]) -> list[inspect.Parameter]:
    """The fields of a model as options that only the command line has (`command_of`)."""
    return [_parameter(name, field) for name, field in model.model_fields.items()]


def list_options(model: type[pydantic.BaseModel]) -> set[str]:
    """Options of a model that take any number of numbers."""
    return {
        name
        for field in model.model_fields.values()
        for name in option_names(field)
        if _list_of(field) in (int, float)
    }


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    names = option_names(field)
    annotation = _annotation(field)
    if not names:
        info: Any = typer.Argument(help=field.description)
    else:
        info = typer.Option(
            *names,
            help=field.description,
            rich_help_panel=_panel(field),
            **_bounds(annotation, field),
        )
    default: Any = inspect.Parameter.empty
    if not field.is_required():
        default = list(field.default) if _list_of(field) else field.default
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[annotation, info],
    )


def _annotation(field: FieldInfo) -> Any:
    """The field's type as typer can parse it; text where only the model can tell."""
    item = _list_of(field)
    if item is not None:
        return list[item]  # type: ignore[valid-type]
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not type(None)]
    optional = len(kinds) < len(_alternatives(field.annotation))
    kind = kinds[0] if len(kinds) == 1 else str
    return kind | None if optional else kind


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)


def _list_of(field: FieldInfo) -> Any:
    """Type of the items of a field of any length; None for other fields."""
    arguments = get_args(field.annotation)
    if get_origin(field.annotation) is tuple and len(arguments) == 2 and arguments[1] is ...:
        return arguments[0]
    return None


def _bounds(annotation: Any, field: FieldInfo) -> dict[str, Any]:
    """Inclusive bounds, which the help then shows; the model checks all of them."""
    if not {int, float} & set(_alternatives(annotation)):
        return {}
    bounds: dict[str, Any] = {}
    for constraint in field.metadata:
        if isinstance(constraint, annotated_types.Ge):
            bounds["min"] = constraint.ge
        elif isinstance(constraint, annotated_types.Le):
            bounds["max"] = constraint.le
    return bounds


def _panel(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "group" not in extra:
        return None
    return f"{extra['group']}, advanced" if extra.get("advanced") else str(extra["group"])
