"""Exported particles: the rows that were chosen, of the table that they came from, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import starfile
import yaml

from napari_cryodrgn.cli import main
from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export import particle_table
from napari_cryodrgn.io.import_particles import read_table
from napari_cryodrgn.io.pickles import Latents, read_array, write_array, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_files import write_run_selections
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.export_particles import (
    ParticleExport,
    export_particles,
    inverse_name,
)
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.retrain import retrain_config

STAR_FILES = (
    "aspire/sample_particles_relion30.star",
    "aspire/sample_particles_relion31.star",
    "cryodrgn-tests/FinalRefinement-OriginalParticles-PfCRT.star",
    "cryodrgn-tests/empiar_10076_7.star",
    "cryodrgn-tests/relion31.6opticsgroups.star",
    "cryodrgn-tests/relion31.star",
    "cryodrgn-tests/relion31.v2.star",
    "cryodrgn-tests/relion5.star",
    "cryodrgn-tests/toy_projections.star",
    "real-poses-ctf/aspire_starfile.star",
    "tomodrgn-10076-DE/10076_both_32_sim.star",
)
CS_FILES = (
    "cryodrgn-tests/cryosparc_J2_particles_exported.cs",
    "cryodrgn-tests/cryosparc_P12_J24_001_particles.cs",
    "cryodrgn-tests/empiar_10076_7.cs",
    "real-poses-ctf/t20s_cryosparc_P9_J209_000_particles.cs",
)
SMALL_STAR = """# a comment
data_optics

loop_
_rlnOpticsGroup #1
_rlnImagePixelSize #2
1 1.5

data_particles

loop_
_rlnImageName #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnOpticsGroup #4
{rows}

data_other
_rlnSomething  7
"""

MakeRun = Callable[..., OpenRun]


def small_star(path: Path, n: int = 12, stack: str = "s.mrcs", first: float = 10000) -> Path:
    rows = [f"{i + 1:06d}@{stack}  {first + i:.1f}\t{first - i}.0 1" for i in range(n)]
    path.write_text(SMALL_STAR.format(rows="\n".join(rows)))
    return path


@pytest.fixture
def make_run(tmp_path: Path, rng: np.random.Generator) -> MakeRun:
    """Makes a run on a table, or on some rows of it in any order; its images are not there."""

    def make(table: Path, rows: np.ndarray | None = None, n: int | None = None) -> OpenRun:
        folder = RunFolder(tmp_path / f"run{len(list(tmp_path.glob('run*')))}")
        folder.path.mkdir()
        ind = None
        if rows is not None:
            ind = folder.path / "ind.pkl"
            write_array(ind, rows)
            n = len(rows)
        n = read_table(table).source.n_rows if n is None else n
        write_latents(folder.latents(1), Latents(rng.normal(size=(n, 2)).astype(np.float32)))
        config = RunConfig(
            box=16,
            model=ModelConfig(zdim=2),
            particles=str(table),
            ind=None if ind is None else str(ind),
        )
        write_run_config(folder.config, config)
        return open_run(folder.path)

    return make


def export(run: OpenRun, positions: np.ndarray, out: Path, **options: object) -> ParticleExport:
    assert run.latent is not None
    return run_to_end(export_particles(run, run.latent.rows.at(positions), out, **options))


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.data
@pytest.mark.parametrize("name", STAR_FILES)
def test_star_keeps_all_but_the_other_rows(
    name: str, data_folder: Path, make_run: MakeRun, tmp_path: Path, rng: np.random.Generator
) -> None:
    source = data_folder / name
    n = read_table(source).source.n_rows
    trained_on = rng.permutation(n)[: max(2, 2 * n // 3)]
    run = make_run(source, trained_on)
    positions = rng.choice(len(trained_on), len(trained_on) // 2, replace=False)
    out, rest = tmp_path / "kept.star", tmp_path / "kept_inverse.star"

    result = export(run, positions, out, inverse=rest)

    chosen = np.sort(trained_on[positions])
    others = np.sort(np.setdiff1d(trained_on, chosen))
    before = starfile.read(source, always_dict=True, parse_as_string=["rlnImageName"])
    name_of = max((k for k in before if "rlnImageName" in before[k]), key=lambda k: len(before[k]))
    for path, rows in ((out, chosen), (rest, others)):
        after = starfile.read(path, always_dict=True, parse_as_string=["rlnImageName"])
        wanted = before[name_of]["rlnImageName"].to_numpy()[rows]
        np.testing.assert_array_equal(np.atleast_1d(after[name_of]["rlnImageName"]), wanted)
        assert list(after) == list(before)
        # Nothing but whole lines is gone, as many as there are rows less.
        old, new = lines_of(source), lines_of(path)
        assert len(old) - len(new) == n - len(rows)
        remaining = iter(old)
        assert all(line in remaining for line in new)
    assert [file.n_particles for file in result.files] == [len(chosen), len(others)]


@pytest.mark.data
@pytest.mark.parametrize("name", CS_FILES)
def test_cs_keeps_every_field(
    name: str, data_folder: Path, make_run: MakeRun, tmp_path: Path, rng: np.random.Generator
) -> None:
    source = data_folder / name
    fields = np.load(source)
    run = make_run(source)
    positions = rng.choice(len(fields), len(fields) // 3, replace=False)
    out = tmp_path / "kept.cs"

    export(run, positions, out, inverse=inverse_name(out))

    kept, rest = np.load(out), np.load(tmp_path / "kept_inverse.cs")
    chosen = np.zeros(len(fields), bool)
    chosen[positions] = True
    assert kept.dtype == fields.dtype
    assert kept.tobytes() == fields[chosen].tobytes()
    assert rest.tobytes() == fields[~chosen].tobytes()


def test_indices_are_rows_of_the_whole_table(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(small_star(tmp_path / "p.star"), np.array([9, 2, 7, 4]))
    export(run, np.array([0, 3]), tmp_path / "k.pkl", inverse=tmp_path / "r.pkl")
    np.testing.assert_array_equal(read_array(tmp_path / "k.pkl"), [4, 9])
    np.testing.assert_array_equal(read_array(tmp_path / "r.pkl"), [2, 7])


def test_images_in_another_folder_are_told_of(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(small_star(tmp_path / "p.star"))
    (tmp_path / "s.mrcs").touch()
    result = export(run, np.array([0]), tmp_path / "elsewhere" / "k.star")
    assert any("give this folder as --datadir" in note for note in result.notes)
    assert not export(run, np.array([0]), tmp_path / "k.star").notes


class TestCommand:
    def test_by_name_and_by_file(
        self, make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = make_run(small_star(tmp_path / "p.star"), np.array([9, 2, 7, 4]))
        assert run.latent is not None
        book = SelectionBook()
        book.set_space(run.latent)
        book.apply(np.array([True, False, False, True]), "replace", "lasso in z0, z1")
        book.keep("good ones")
        write_run_selections(run.folder.selections, book.state)
        for selection in ("good ones", "working"):
            out = tmp_path / f"{selection}.star"
            main_status("export", run.folder.path, selection, "-o", out)
            said = capsys.readouterr()
            assert str(out) in said.out
            assert "2 particles" in said.err
            names = [line for line in out.read_text().splitlines() if "@" in line]
            assert [line[:7] for line in names] == ["000005@", "000010@"]
            assert json.loads((tmp_path / f"{out.name}.json").read_text())["made"] == (
                "lasso in z0, z1"
            )

    def test_unknown_selection(
        self, make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        status = main_status("export", run.folder.path, "none", "-o", tmp_path / "k.pkl")
        assert status == 1
        assert "no selection of this name" in capsys.readouterr().err


def main_status(*words: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return int(stopped.value.code or 0)


class TestRetrain:
    def test_same_options_on_what_is_kept(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"), np.array([9, 2, 7, 4]))
        assert run.latent is not None
        config = retrain_config(run, run.latent.rows.at([1, 2]), tmp_path / "again")
        assert config.zdim == 2
        assert config.load is None
        assert config.particles == tmp_path / "p.star"
        assert config.ind is not None
        np.testing.assert_array_equal(read_array(config.ind), [2, 7])

    def test_refusals(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        assert run.latent is not None
        rows = run.latent.rows
        with pytest.raises(InputError, match="not empty"):
            retrain_config(run, rows, run.folder.path)
        with pytest.raises(InputError, match="no particles are kept"):
            retrain_config(run, rows.at([]), tmp_path / "again")
        with pytest.raises(InputError, match="no weights"):
            retrain_config(run, rows, tmp_path / "again", from_weights=True)
        assert not list(tmp_path.glob("again*"))


def test_the_recipe_says_what_was_done(make_run: MakeRun, tmp_path: Path) -> None:
    table = small_star(tmp_path / "p.star")
    run = make_run(table)
    result = export(run, np.arange(5), tmp_path / "k.star", made="lasso in z0, z1")
    recipe = json.loads(result.recipe.read_text())
    assert recipe["made"] == "lasso in z0, z1"
    assert recipe["table"] == str(table)
    assert recipe["table_sha256"] == particle_table.file_digest(table)
    assert recipe["files"][0]["n_particles"] == 5
    assert recipe["files"][0]["sha256"] == particle_table.file_digest(tmp_path / "k.star")


class TestAnotherTable:
    def test_moved(self, make_run: MakeRun, tmp_path: Path) -> None:
        table = small_star(tmp_path / "p.star")
        run = make_run(table, np.array([5, 1, 3]))
        run.files["particles"].unlink()
        small_star(tmp_path / "elsewhere.star")
        result = export(run, np.array([0]), tmp_path / "k.star", table=tmp_path / "elsewhere.star")
        assert result.files[0].n_particles == 1
        assert b"000006@" in (tmp_path / "k.star").read_bytes()

    def test_unbinned_by_row_and_checked(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        whole = small_star(tmp_path / "whole.star", stack="unbinned.mrcs")
        result = export(run, np.array([7]), tmp_path / "k.star", table=whole)
        assert b"000008@unbinned.mrcs" in (tmp_path / "k.star").read_bytes()
        assert "defocus values agree" in result.notes[0]

    def test_of_other_particles_is_refused(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        other = small_star(tmp_path / "other.star", stack="o.mrcs", first=15000)
        with pytest.raises(InputError, match="defocus values differ in 1 of 1"):
            export(run, np.array([7]), tmp_path / "k.star", table=other)
        assert not (tmp_path / "k.star").exists()

    def test_in_another_order_by_name(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        shuffled = small_star(tmp_path / "q.star")
        lines = shuffled.read_text().splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("000001@"))
        lines[first : first + 12] = lines[first : first + 12][::-1]
        shuffled.write_text("\n".join(lines) + "\n")
        export(run, np.array([2]), tmp_path / "k.star", table=shuffled)
        assert b"000003@" in (tmp_path / "k.star").read_bytes()

    def test_without_some_of_the_particles(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        few = small_star(tmp_path / "few.star", n=6)
        with pytest.raises(InputError, match="1 of the 2 particles are not in it"):
            export(run, np.array([2, 8]), tmp_path / "k.star", table=few)

    def test_of_another_length(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        other = small_star(tmp_path / "other.star", n=6, stack="o.mrcs")
        with pytest.raises(InputError, match="it has 6 rows where"):
            export(run, np.array([2]), tmp_path / "k.star", table=other)


class TestRefused:
    def test_changed_since_training(self, make_run: MakeRun, tmp_path: Path) -> None:
        table = small_star(tmp_path / "p.star")
        run = make_run(table)
        small_star(table, stack="other.mrcs")
        with pytest.raises(InputError, match=r"changed since.*checksum was"):
            export(run, np.array([0]), tmp_path / "k.star")
        assert not list(tmp_path.glob("k.*"))

    def test_missing_table(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        (tmp_path / "p.star").unlink()
        run = open_run(run.folder.path)
        with pytest.raises(InputError, match=r"missing.*--table"):
            export(run, np.array([0]), tmp_path / "k.star")

    def test_nothing_selected(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        with pytest.raises(InputError, match="no particles"):
            export(run, np.array([], dtype=int), tmp_path / "k.star")

    def test_of_another_run(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        with pytest.raises(InputError, match="different particle tables"):
            run_to_end(export_particles(run, ParticleRows.every(13), tmp_path / "k.pkl"))

    def test_over_the_original(self, make_run: MakeRun, tmp_path: Path) -> None:
        table = small_star(tmp_path / "p.star")
        before = table.read_bytes()
        with pytest.raises(InputError, match="original table"):
            export(make_run(table), np.array([0]), table)
        assert table.read_bytes() == before

    def test_another_format(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        with pytest.raises(InputError, match=r"no \.cs can be made"):
            export(run, np.array([0]), tmp_path / "k.cs")

    def test_lost_indices(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"), np.array([3, 4]))
        (run.folder.path / "ind.pkl").unlink()
        run = open_run(run.folder.path)
        with pytest.raises(InputError, match=r"indices .* are missing"):
            export(run, np.array([0]), tmp_path / "k.pkl")

    def test_rows_over_several_lines(self, make_run: MakeRun, tmp_path: Path) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        one = tmp_path / "p.star"
        one.write_text(one.read_text().replace("  10000.0\t10000.0 1", "\n  10000.0\t10000.0 1"))
        with pytest.raises(InputError):
            export(run, np.array([0]), tmp_path / "k.star")
        assert not (tmp_path / "k.star").exists()

    def test_full_disk_leaves_what_was_there(
        self, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = make_run(small_star(tmp_path / "p.star"))
        out = tmp_path / "k.star"
        out.write_text("before")

        def fail(*_: object) -> object:
            raise OSError(28, "No space left on device")
            yield

        monkeypatch.setattr(particle_table, "copy_star_rows", fail)
        with pytest.raises(InputError, match="no space left"):
            export(run, np.array([0]), out)
        assert out.read_text() == "before"
        assert not list(tmp_path.glob(".k.star*"))


def test_images_named_twice_are_told(make_run: MakeRun, tmp_path: Path) -> None:
    table = small_star(tmp_path / "p.star")
    table.write_text(table.read_text().replace("000004@", "000003@"))
    result = export(make_run(table), np.array([3]), tmp_path / "k.star")
    assert result.files[0].n_particles == 1
    assert any("name an image that another row names too" in note for note in result.notes)


@pytest.mark.data
class TestTiltSeries:
    @pytest.fixture
    def run(self, data_folder: Path, tmp_path: Path, rng: np.random.Generator) -> OpenRun:
        table = data_folder / "cryodrgn-tests" / "sta_testing_bin8.star"
        groups = starfile.read(table)["rlnGroupName"]
        folder = RunFolder(tmp_path / "run")
        folder.path.mkdir()
        n = groups.nunique()
        write_latents(folder.latents(1), Latents(rng.normal(size=(n, 2)).astype(np.float32)))
        config = RunConfig(box=16, model=ModelConfig(zdim=2), particles=str(table))
        write_run_config(folder.config, config)
        content = yaml.safe_load(folder.config.read_text())
        content["dataset_args"]["ntilts"] = 10
        folder.config.write_text(yaml.safe_dump(content))
        return open_run(folder.path)

    def test_all_tilts_of_a_particle(self, run: OpenRun, tmp_path: Path) -> None:
        export(run, np.array([4, 1]), tmp_path / "k.star")
        before = starfile.read(run.files["particles"])
        after = starfile.read(tmp_path / "k.star")
        names = before["rlnGroupName"].unique()[[1, 4]]
        wanted = before[before["rlnGroupName"].isin(names)].reset_index(drop=True)
        assert after["rlnImageName"].tolist() == wanted["rlnImageName"].tolist()

    def test_indices_count_particles_or_tilts(self, run: OpenRun, tmp_path: Path) -> None:
        export(run, np.array([4, 1]), tmp_path / "p.pkl")
        export(run, np.array([4, 1]), tmp_path / "t.pkl", by="tilt")
        np.testing.assert_array_equal(read_array(tmp_path / "p.pkl"), [1, 4])
        before = starfile.read(run.files["particles"])["rlnGroupName"]
        chosen = before.isin(before.unique()[[1, 4]])
        np.testing.assert_array_equal(read_array(tmp_path / "t.pkl"), np.flatnonzero(chosen))
