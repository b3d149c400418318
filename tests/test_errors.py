from __future__ import annotations

from pathlib import Path

from napari_cryodrgn.errors import InputError


def test_a_message_names_file_field_and_value() -> None:
    error = InputError(
        "is not a number", file=Path("a.star"), field="_rlnDefocusU", value="x", hint="Mend it"
    )
    assert str(error) == "a.star: _rlnDefocusU = x: is not a number. Mend it"


def test_names_and_values_of_damaged_files_do_not_flood_a_message() -> None:
    long = "4" * 100_000
    error = InputError(long, file=Path("a.json"), field=f"o{long}", value=long)
    assert len(str(error)) < 5_000
    assert error.field == f"o{long}"


def test_a_message_is_one_printable_line() -> None:
    assert str(InputError("two\nlines\x00", field="a\nb")) == "a b: two lines?"
