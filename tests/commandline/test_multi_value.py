"""Options of several numbers, negative ones among them."""

from __future__ import annotations

import pytest

from napari_cryodrgn.commandline.multi_value import is_number, repeat_options

OPTIONS = {"decode": {"-z", "--particles"}}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("decode RUN -z 1 -2 -3e-1 -o OUT", "decode RUN -z 1 -z -2 -z -3e-1 -o OUT"),
        ("decode -z -.5 2 RUN 20", "decode -z -.5 -z 2 RUN 20"),
        ("decode RUN 20 -z 1 -d 32", "decode RUN 20 -z 1 -d 32"),
        ("decode RUN -z0.5 -1", "decode RUN -z0.5 -z -1"),
        ("decode RUN --particles=3 4 -o 5", "decode RUN --particles=3 --particles 4 -o 5"),
        ("decode RUN --particles 3 4 -z 1 2", "decode RUN --particles 3 --particles 4 -z 1 -z 2"),
        ("decode RUN --zfile 7 8", "decode RUN --zfile 7 8"),
        ("decode RUN -z", "decode RUN -z"),
        ("decode RUN -z x 1", "decode RUN -z x -z 1"),
        ("decode RUN -- -z 1 2", "decode RUN -- -z 1 2"),
        ("analyze RUN -z 1 2", "analyze RUN -z 1 2"),
        ("", ""),
    ],
)
def test_each_number_gets_its_option(words: str, expected: str) -> None:
    assert repeat_options(words.split(), OPTIONS) == expected.split()


@pytest.mark.parametrize("word", ["1", "-1", "+1.5", "-.5", "1e-3", "-1E+3"])
def test_numbers(word: str) -> None:
    assert is_number(word)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "-z", "run1", "1.mrc", "", "--", "1 2"])
def test_words_that_are_none(word: str) -> None:
    assert not is_number(word)
