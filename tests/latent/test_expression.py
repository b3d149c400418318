"""Typed expressions choose the particles that pandas chooses, and say what is wrong and where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from napari_cryodrgn.latent.expression import matching
from napari_cryodrgn.latent.expression_errors import ExpressionError

N = 400


@pytest.fixture(scope="module")
def columns() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "z0": rng.normal(size=N).astype(np.float32),
            "z_norm": rng.random(N) * 5,
            "UMAP1": rng.normal(size=N),
            "defocus_u": rng.uniform(8000, 30000, N),
            "kmeans20": pd.Categorical(rng.integers(0, 6, N)),
            "gmm4": pd.Categorical(rng.integers(0, 4, N)),
            "gmm8": pd.Categorical(rng.integers(0, 8, N)),
            "class": pd.Categorical(rng.choice(["open", "closed"], N)),
            "micrograph": rng.choice(["a.mrc", "b.mrc", "c d.mrc"], N),
            "particles row": np.arange(N),
            "with_gaps": np.where(rng.random(N) < 0.3, np.nan, 1.0),
        }
    )


@pytest.mark.parametrize(
    ("expression", "in_pandas"),
    [
        ("kmeans in [1, 4] and defocus_u < 20000", "kmeans20 in [1, 4] and defocus_u < 20000"),
        ("-1 < UMAP1 <= 0.5", "UMAP1 > -1 and UMAP1 <= 0.5"),
        ("not (z0 > 0 or z_norm >= 2)", "z0 <= 0 and z_norm < 2"),
        ("kmeans20 not in (0, 1, 2)", "kmeans20 not in [0, 1, 2]"),
        ("micrograph == 'a.mrc' or micrograph in [\"c d.mrc\"]", "micrograph != 'b.mrc'"),
        ("`class` == 'open'", "`class` == 'open'"),
        ("`particles row` % 2 == 1 and `particles row` < 100", "`particles row` % 2 == 1 and "
         "`particles row` < 100"),
        ("  abs(z0) * 2 - 1 > z_norm / 3 ", "z0.abs() * 2 - 1 > z_norm / 3"),
        ("isnan(with_gaps)", "with_gaps != with_gaps"),
        ("with_gaps > 0", "with_gaps == with_gaps"),
        ("Z_NORM ** 2 > 9", "z_norm > 3"),
        ("gmm4 == 3 and gmm8 != 2", "gmm4 == 3 and gmm8 != 2"),
        ("True", "z0 == z0"),
        ("micrograph == 'ä`b`' or z0 > 0", "z0 > 0"),
        ("z0 >\n 0", "z0 > 0"),
        ("z0 > 1e999", "z0 > 99"),
        ("`class` in []", "z0 > 99"),
    ],
)  # fmt: skip
def test_the_particles_are_those_of_pandas(
    expression: str, in_pandas: str, columns: pd.DataFrame
) -> None:
    expected = columns.eval(in_pandas, engine="python").to_numpy(dtype=bool)
    assert_array_equal(matching(expression, columns), expected)


def test_labels_are_compared_as_numbers_or_as_text(columns: pd.DataFrame) -> None:
    """Once a cluster has a name, all labels are text; those that are numbers still match."""
    named = columns.assign(gmm4=pd.Categorical(columns["gmm4"].astype(str).replace("2", "open")))
    for expression in ("gmm4 in [1, 'open']", "gmm4 == 1 or gmm4 == 'open'"):
        assert_array_equal(matching(expression, named), columns["gmm4"].isin([1, 2]))


@pytest.mark.parametrize(
    ("expression", "says", "marked"),
    [
        ("defocus < 2", "there is no column 'defocus'.*Did you mean defocus_u", "defocus"),
        ("z0 > 1 and znorm < 2", "no column 'znorm'.*z_norm", "znorm"),
        ("`particles rwo` == 1", "no column 'particles rwo'.*`particles row`", "`particles rwo`"),
        ("gmm == 1", "There are gmm4 and gmm8", "gmm"),
        ("qqqqqq == 1", "There are z0, z_norm", "qqqqqq"),
        ("z0 >", "ends too early, at letter 5", None),
        ("(z0 > 1", "never closed", "("),
        ("z0 = 1", "==", None),
        ("z0 > 1 & z_norm < 2", "Write 'and' instead of &", "1 & z_norm"),
        ("~(z0 > 1)", "Write 'not' instead", "~(z0 > 1)"),
        ("z_norm", "not true or false", "z_norm"),
        ("z0 > 1 and z_norm", "not true or false", "z_norm"),
        ("z0 < 'high'", "text and numbers", "'high'"),
        ("micrograph < 3", "text and numbers", "3"),
        ("z0 in [1, 'a']", "text and numbers", "[1, 'a']"),
        ("z0 in z_norm", "wants a list", "z_norm"),
        ("micrograph * 2 > 1", "no number", "micrograph"),
        ("abs(z0, 1) > 2", "takes one value", "abs(z0, 1)"),
        ("max(z0) > 2", "not known here.*There are abs, isnan", "max(z0)"),
        ("", "there is no expression", None),
        ("ä > 0", "no column 'ä'", "ä"),
        ("micrograph == 'ää' and wrong > 1", "no column 'wrong'", "wrong"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    expression: str, says: str, marked: str | None, columns: pd.DataFrame
) -> None:
    with pytest.raises(ExpressionError, match=says) as caught:
        matching(expression, columns)
    error = caught.value
    if marked is not None:
        assert expression[error.position : error.position + error.length] == marked
        text, carets = error.marked.split("\n")
        assert text == expression
        assert carets == " " * error.position + "^" * len(marked)


@pytest.mark.parametrize(
    "program",
    [
        "__import__('os').system('true')",
        "z0.__class__",
        "[z0 for z0 in [1]]",
        "(lambda: 1)()",
        "z0[0] > 1",
        "f'{z0}' == 'a'",
        "z0 if True else z0",
        "(z0 := 3) > 1",
        "abs(*[z0]) > 1",
        "9**9**9**9 > 1j",
        "b'x' == micrograph",
        "(" * 300 + "z0" + ")" * 300 + " > 1 and None",
        "-" * 150 + "z0 > 1",
        "1 < " * 3000 + "2",
        "z0 > 1\0",
        "...",
    ],
)
def test_programs_are_not_run(program: str, columns: pd.DataFrame) -> None:
    with pytest.raises(ExpressionError):
        matching(program, columns)


def test_a_huge_power_ends_at_once(columns: pd.DataFrame) -> None:
    assert not matching("z0 > 9 ** 9 ** 9", columns).any()
