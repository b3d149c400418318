"""What is wrong with an expression, and where in it."""

from __future__ import annotations

from napari_cryodrgn.errors import InputError


class ExpressionError(InputError):
    """An expression cannot be used.

    Parameters
    ----------
    problem : str
        What is wrong.
    text : str
        The whole expression.
    position : int
        The letter, from 0, at which it was noticed.
    length : int
        Letters it concerns.
    hint : str, optional
        What to do about it.
    """

    def __init__(
        self, problem: str, text: str, position: int, length: int = 1, hint: str | None = None
    ) -> None:
        self.text, self.position, self.length = text, position, max(1, length)
        where = f"{problem}, at letter {position + 1}"
        super().__init__(where, field="expression", value=f"'{text}'", hint=hint)

    @property
    def marked(self) -> str:
        """The expression, and below it a line with carets under what is wrong."""
        return f"{self.text}\n{' ' * self.position}{'^' * self.length}"
