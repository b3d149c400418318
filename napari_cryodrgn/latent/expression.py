"""Particles chosen by a typed expression: ``kmeans in [1, 4] and defocus_u < 20000``.

An expression is read by Python's own parser and then worked out node by node on the
columns of the particles; it is never run as a program, and what is not in the small
language below is refused.

- columns by name, with blanks in backticks: ``z_norm``, ```particles row```; ``kmeans`` and
  the like stand for the only column of labels that begins so (``kmeans20``)
- numbers, text in quotes, ``+ - * / ** %`` (rest of a division)
- ``< <= > >= == !=``, also chained: ``1 < UMAP1 < 4``; ``in`` and ``not in`` a list
- ``and or not``, brackets, ``True`` and ``False``
- ``abs(x)``, ``isnan(x)``, ``sqrt(x)``, ``log(x)``

Comparisons with a missing value are false, as in numpy.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.latent.expression_columns import column_named, is_labels
from napari_cryodrgn.latent.expression_errors import ExpressionError

_LONGEST = 10_000
_DEEPEST = 100
_BACKTICKS = re.compile(r"`([^`]*)`|'[^']*'|\"[^\"]*\"")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "isnan": np.isnan,
    "sqrt": np.sqrt,
    "log": np.log,
}
# Operators of Python that people try, and what to write instead.
_INSTEAD: dict[type[ast.AST], str] = {
    ast.BitAnd: "write 'and' instead of &",
    ast.BitOr: "write 'or' instead of |",
    ast.Invert: "write 'not' instead of ~",
    ast.Is: "write == instead of 'is'",
    ast.IsNot: "write != instead of 'is not'",
}


def matching(expression: str, columns: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which particles an expression is true of.

    Parameters
    ----------
    expression : str
        See the top of this module.
    columns : DataFrame
        N rows, the columns of a latent space.

    Returns
    -------
    (N,) bool array

    Raises
    ------
    ExpressionError
        Where it cannot be read, names an unknown column, compares text with numbers, or is
        no statement that is true or false; it says where, and names similar columns.
    """
    return _Evaluation(expression, columns).result()


class _Evaluation:
    """One expression over the columns of one latent space."""

    def __init__(self, text: str, columns: pd.DataFrame) -> None:
        self.text, self.columns = text, columns
        self.quoted: dict[str, str] = {}
        self.shift: list[tuple[int, int]] = []
        self.code = self._without_backticks()

    def result(self) -> npt.NDArray[np.bool_]:
        """Read it and work it out."""
        tree = self._parsed()
        with np.errstate(all="ignore"):
            try:
                value = self._value(tree.body)
            except (OverflowError, MemoryError) as error:
                raise self._error(f"it cannot be worked out ({error})", tree.body) from error
        if not (
            isinstance(value, np.ndarray | np.bool_ | bool) and np.asarray(value).dtype == bool
        ):
            raise self._error(
                "this is not true or false of a particle",
                tree.body,
                hint="Compare it with something: z_norm < 3",
            )
        if np.ndim(value) == 0:
            return np.full(len(self.columns), bool(value))
        return np.array(value, dtype=np.bool_)

    # Reading

    def _parsed(self) -> ast.Expression:
        if not self.text.strip():
            raise ExpressionError("there is no expression", self.text, 0)
        if len(self.text) > _LONGEST:
            raise ExpressionError(f"it is longer than {_LONGEST} letters", self.text[:40] + "…", 0)
        try:
            return ast.parse(self.code, mode="eval")
        except SyntaxError as error:
            at = _position(self.code, error.offset)
            said = _said(error, self.code, at)
            raise ExpressionError(said, self.text, self._original(at)) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"it cannot be read ({error})", self.text, 0) from error

    def _without_backticks(self) -> str:
        """The expression with a plain name for each in backticks, and blanks for line breaks."""
        code, end = "", 0
        text = self.text.replace("\n", " ").replace("\r", " ")
        for match in _BACKTICKS.finditer(text):
            if match.group(1) is None:
                continue
            name = f"_quoted_{len(self.quoted)}_"
            self.quoted[name] = match.group(1)
            code += text[end : match.start()]
            self.shift.append((len(code), len(match.group(0)) - len(name)))
            code += name
            end = match.end()
        code += text[end:]
        # Leading blanks would be an indentation to Python; brackets keep their number.
        stripped = code.lstrip()
        self.shift.insert(0, (-1, len(code) - len(stripped)))
        self.shift[1:] = [(at - (len(code) - len(stripped)), by) for at, by in self.shift[1:]]
        return stripped

    def _original(self, position: int) -> int:
        moved = position + sum(by for at, by in self.shift if at < position)
        return max(0, min(moved, len(self.text)))

    def _error(self, problem: str, node: ast.AST, hint: str | None = None) -> ExpressionError:
        begin = self._original(_characters(self.code, getattr(node, "col_offset", 0)))
        end = self._original(_characters(self.code, getattr(node, "end_col_offset", 0) or 0))
        return ExpressionError(problem, self.text, begin, end - begin, hint)

    # Working out

    def _value(self, node: ast.expr, depth: int = 0) -> Any:
        """Value of a node: an array of all particles, or one number or text."""
        if depth > _DEEPEST:
            raise self._error("it is nested too deeply", node)
        method = _METHODS.get(type(node))
        if method is None:
            raise self._error("this is not understood here", node, _hint_for(node))
        return method(self, node, depth + 1)

    def _constant(self, node: ast.Constant, _depth: int) -> Any:
        if isinstance(node.value, bool | int | float | str):
            if isinstance(node.value, int) and abs(node.value) >= 2**63:
                return float(node.value)
            return node.value
        raise self._error("this is not understood here", node)

    def _name(self, node: ast.Name, _depth: int) -> Any:
        name = self.quoted.get(node.id, node.id)
        found, hint = column_named(name, self.columns)
        if found is None:
            raise self._error(f"there is no column '{name}'", node, hint)
        series = self.columns[found]
        if is_labels(series):
            return series.to_numpy(dtype=object) if series.isna().any() else np.asarray(series)
        return series.to_numpy()

    def _bool(self, node: ast.BoolOp, depth: int) -> Any:
        values = [self._truth(one, depth) for one in node.values]
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        result = values[0]
        for value in values[1:]:
            result = join(result, value)
        return result

    def _unary(self, node: ast.UnaryOp, depth: int) -> Any:
        if isinstance(node.op, ast.Not):
            return np.logical_not(self._truth(node.operand, depth))
        if isinstance(node.op, ast.Invert):
            raise self._error("this is not understood here", node, _hint_for(node.op))
        value = self._number(node.operand, depth)
        return np.negative(value) if isinstance(node.op, ast.USub) else value

    def _binary(self, node: ast.BinOp, depth: int) -> Any:
        work = _ARITHMETIC.get(type(node.op))
        if work is None:
            raise self._error("this is not understood here", node, _hint_for(node.op))
        left, right = self._number(node.left, depth), self._number(node.right, depth)
        return work(np.asarray(left, np.float64), np.asarray(right, np.float64))

    def _call(self, node: ast.Call, depth: int) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        listed = ", ".join(FUNCTIONS)
        if name not in FUNCTIONS:
            raise self._error("this function is not known here", node, f"There are {listed}")
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise self._error(f"{name} takes one value", node)
        return FUNCTIONS[name](np.asarray(self._number(node.args[0], depth), np.float64))

    def _compare(self, node: ast.Compare, depth: int) -> Any:
        result: Any = True
        left_node = node.left
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                one = self._in_list(left_node, right_node, depth)
                one = np.logical_not(one) if isinstance(operator, ast.NotIn) else one
            elif type(operator) in _COMPARE:
                one = self._compared(operator, left_node, right_node, depth)
            else:
                raise self._error("this is not understood here", node, _hint_for(operator))
            result = np.logical_and(result, one)
            left_node = right_node
        return result

    def _compared(
        self, operator: ast.cmpop, left_node: ast.expr, right_node: ast.expr, depth: int
    ) -> Any:
        left, right = self._value(left_node, depth), self._value(right_node, depth)
        equality = isinstance(operator, ast.Eq | ast.NotEq)
        if _is_text(left) != _is_text(right):
            if equality and (_is_text_column(left) or _is_text_column(right)):
                left, right = _as_text(left), _as_text(right)
            else:
                raise self._error("text and numbers cannot be compared", right_node)
        if _is_text(left):
            left, right = _as_text(left), _as_text(right)
        return np.asarray(_COMPARE[type(operator)](left, right), dtype=np.bool_)

    def _in_list(self, left_node: ast.expr, right_node: ast.expr, depth: int) -> Any:
        if not isinstance(right_node, ast.List | ast.Tuple | ast.Set):
            raise self._error("'in' wants a list", right_node, "Write it as [1, 4]")
        wanted = [self._value(one, depth) for one in right_node.elts]
        for node, value in zip(right_node.elts, wanted, strict=True):
            if np.ndim(value):
                raise self._error("a list has numbers or text in it", node)
        values = np.asarray(self._value(left_node, depth))
        if _is_text(values):
            return np.isin(_as_text(values), _as_text(wanted)) if wanted else values == ""
        numbers = [value for value in wanted if not isinstance(value, str)]
        if len(numbers) < len(wanted):
            raise self._error("text and numbers cannot be compared", right_node)
        return np.isin(values, np.array(numbers))

    def _truth(self, node: ast.expr, depth: int) -> Any:
        value = self._value(node, depth)
        if np.asarray(value).dtype != np.bool_:
            raise self._error(
                "this is not true or false", node, "Compare it with something: z_norm < 3"
            )
        return value

    def _number(self, node: ast.expr, depth: int) -> Any:
        value = self._value(node, depth)
        if np.asarray(value).dtype.kind not in "biuf":
            raise self._error("this is no number", node)
        return value


_METHODS: dict[type[ast.expr], Callable[[_Evaluation, Any, int], Any]] = {
    ast.Constant: _Evaluation._constant,
    ast.Name: _Evaluation._name,
    ast.BoolOp: _Evaluation._bool,
    ast.UnaryOp: _Evaluation._unary,
    ast.BinOp: _Evaluation._binary,
    ast.Call: _Evaluation._call,
    ast.Compare: _Evaluation._compare,
}


def _hint_for(node: ast.AST) -> str | None:
    hint = _INSTEAD.get(type(node))
    return None if hint is None else hint[0].upper() + hint[1:]


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "OUST"


def _is_text_column(value: Any) -> bool:
    return bool(np.ndim(value)) and _is_text(value)


def _as_text(value: Any) -> npt.NDArray[Any]:
    """Text of values; a missing one is equal to nothing that can be typed."""
    return np.asarray(value, dtype=object).astype(str).astype(object)


def _position(code: str, offset: int | None) -> int:
    """Letter, from 0, at which Python's parser gave up; 0 or none is the end."""
    return offset - 1 if offset else len(code.rstrip())


def _characters(code: str, offset: int) -> int:
    """Letters before a position that counts bytes."""
    return len(code.encode("utf-8")[:offset].decode("utf-8", errors="ignore"))


def _said(error: SyntaxError, code: str, at: int) -> str:
    """What Python's parser says, in words for people who do not program."""
    lone_equals = re.search(r"(?<![<>=!])=(?!=)", code)
    if lone_equals:
        return "write == to compare"
    if error.msg == "invalid syntax":
        return "it ends too early" if at >= len(code.rstrip()) else "this cannot be read"
    return error.msg.split(". Perhaps")[0]
