"""The Selections dock: counts, names, values, expressions, clusters and junk, by its widgets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.widgets.cluster_umap import NewUmapDialog
from napari_cryodrgn.widgets.latent_axes import plot_points, views
from napari_cryodrgn.widgets.selection_on_plot import hidden_selections, of_class
from napari_cryodrgn.widgets.selections_dock import SelectionsDock
from napari_cryodrgn.widgets.selections_table import COUNT, NAME, NOTE, SHOWN
from napari_cryodrgn.widgets.selections_values import Between, fulfilling
from napari_cryodrgn.widgets.selections_working import count_text
from napari_cryodrgn.workflows.embed import Embedding

pytestmark = pytest.mark.gui


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[], SelectionsDock]:
    def make() -> SelectionsDock:
        dock = SelectionsDock(viewer)
        viewer.window.add_dock_widget(dock, name="Selections", area="right")
        dock.session.open_run(small_run.path)
        settle(lambda: dock.session.pick_now is not None)
        QApplication.processEvents()
        return dock

    return make


def labels_of(dock: SelectionsDock) -> np.ndarray:
    return dock.session.latent.columns["kmeans4"].to_numpy()


def test_selections_are_counted_kept_combined_and_undone(qtbot, open_dock):
    dock = open_dock()
    book, named = dock.session.selections, dock.named
    labels = labels_of(dock)
    assert dock.working.count_label.text() == "None of 120 selected"
    assert not dock.working.keep_button.isEnabled()
    book.apply(labels < 2, "replace", "lasso in UMAP1, UMAP2")
    assert dock.working.count_label.text() == "60 of 120 selected (50.0 %)"
    assert dock.working.undo_button.toolTip() == "Undo: lasso in UMAP1, UMAP2 (Ctrl+Z)"
    assert dock.working.keep("low")
    assert not dock.working.keep("low")
    assert "low" in dock.notices.text()
    qtbot.mouseClick(dock.working.invert_button, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(book.mask, labels >= 2)
    book.apply(np.isin(labels, [1, 2]), "replace", "polygon")
    dock.working.keep("middle")
    assert [named.table.item(row, COUNT).text() for row in range(2)] == ["60", "60"]
    # Two rows chosen: a new one from them.
    named.choose("low", "middle")
    named.combine("difference")
    named.choose("low ∖ middle")
    qtbot.mouseClick(named.load_buttons["replace"], Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(book.mask, labels == 0)
    named.choose("middle")
    qtbot.mouseClick(named.load_buttons["add"], Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(book.mask, labels <= 2)
    # Edited in the table.
    named.table.item(0, NAME).setText("closed")
    named.table.item(0, NOTE).setText("as in the first map")
    assert (book.named[0].name, book.named[0].note) == ("closed", "as in the first map")
    named.table.item(1, NAME).setText("closed")  # taken: refused, and shown as it was
    assert named.table.item(1, NAME).text() == "middle"
    named.table.item(0, SHOWN).setCheckState(Qt.CheckState.Unchecked)
    assert hidden_selections(book).names == {"closed"}
    named.choose("closed", "middle")
    named.delete()
    assert book.names == ("low ∖ middle",)
    qtbot.mouseClick(dock.working.undo_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dock.working.undo_button, Qt.MouseButton.LeftButton)
    assert book.names == ("closed", "middle", "low ∖ middle")
    qtbot.mouseClick(dock.working.redo_button, Qt.MouseButton.LeftButton)
    assert book.names == ("middle", "low ∖ middle")


def test_values_expressions_and_neighbours_find_particles(qtbot, open_dock, settle):
    dock = open_dock()
    book, find, latent = dock.session.selections, dock.find, dock.session.latent
    dock.tabs.setCurrentIndex(dock.FIND)
    z0, z1 = latent.mu[:, 0], latent.mu[:, 1]
    find.rows.rows[0].low_box.setText("1")
    second = find.rows.add("z1")
    second.high_box.setText("5.5")
    expected = (z0 >= 1) & (z1 <= 5.5)
    settle(lambda: find.count_label.text().startswith(f"{expected.sum()} of 120"))
    qtbot.mouseClick(find.select_button, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(book.mask, expected)
    assert book.made == "z0 ≥ 1 and z1 ≤ 5.5"
    # An expression: what is wrong stands below it, and nothing can be done with it.
    find.expression.edit.setText("kmeans in [1, 3] and zz < 2")
    settle(lambda: "no column" in find.expression.answer.text())
    assert find.expression.answer.text().splitlines()[1].index("^") == 21
    assert not find.expression_button.isEnabled()
    find.expression.edit.setText("kmeans in [1, 3] and z0 < 6")
    settle(find.expression_button.isEnabled)
    find.how_box.setCurrentIndex(1)
    qtbot.keyClick(find.expression.edit, Qt.Key.Key_Return)
    expected |= np.isin(labels_of(dock), [1, 3]) & (z0 < 6)
    np.testing.assert_array_equal(book.mask, expected)
    # The nearest ones.
    find.how_box.setCurrentIndex(0)
    find.nearest_box.setValue(7)
    qtbot.mouseClick(find.nearest_button, Qt.MouseButton.LeftButton)
    away = np.linalg.norm(latent.mu - dock.session.pick_now.z, axis=1)
    assert set(np.flatnonzero(book.mask)) == set(np.argsort(away)[:7])


def test_clusters_are_made_changed_and_decoded(qtbot, open_dock, settle, small_run):
    dock = open_dock()
    panel, session = dock.clusters, dock.session
    dock.tabs.setCurrentIndex(dock.CLUSTERS)
    made: list[str] = []
    panel.column_made.connect(made.append)
    panel.form.method_box.setCurrentIndex(panel.form.method_box.findData("gmm"))
    panel.form.number_box.setValue(3)
    qtbot.mouseClick(panel.form.button, Qt.MouseButton.LeftButton)
    settle(lambda: made == ["gmm3"])
    column = session.latent.columns["gmm3"].to_numpy()
    assert panel.table.rowCount() == 3
    panel.table.choose("0", "2")
    qtbot.mouseClick(panel.select_button, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(session.selections.mask, np.isin(column, [0, 2]))
    qtbot.mouseClick(panel.merge_button, Qt.MouseButton.LeftButton)
    merged = session.latent.columns["gmm3_merged"].to_numpy()
    np.testing.assert_array_equal(merged == 0, np.isin(column, [0, 2]))
    assert "gmm3" in session.latent.columns
    panel.table.item(0, NAME - 1).setText("open")
    assert set(session.latent.columns["gmm3_merged"]) == {"open", "1"}
    assert (small_run.clusterings / "gmm3_merged.npz").is_file()
    # Each cluster's volume; a click picks its particle.
    settle(lambda: panel.tasks.task is None)
    qtbot.mouseClick(panel.gallery_button, Qt.MouseButton.LeftButton)
    settle(lambda: panel.gallery.count() == 2)
    panel.gallery.itemClicked.emit(panel.gallery.item(1))
    position = session.pick_now.position
    assert session.latent.columns["gmm3_merged"].iat[position] == "1"


def test_junk_is_learnt_from_a_few_marks_and_says_how_many_it_needs(qtbot, open_dock, settle):
    dock = open_dock()
    panel, book, labels = dock.junk, dock.session.selections, labels_of(dock)
    assert not panel.score_button.isEnabled()
    assert "at least 3 good and 3 bad" in panel.score_button.toolTip()
    for label, button in ((0, panel.good_button), (3, panel.bad_button)):
        book.apply((labels == label) & (np.arange(len(labels)) < 40), "replace", "some")
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.score_button, Qt.MouseButton.LeftButton)
    settle(lambda: panel.scores is not None)
    scores = dock.session.latent.columns["junk_score"].to_numpy()
    assert scores[labels == 3].min() > scores[labels == 0].max()
    panel.histogram.set_threshold(0.6)
    qtbot.mouseClick(panel.select_button, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(book.mask, scores > 0.6)
    # Of another epoch nothing is known; of this one all is there when it is opened again.
    folder = dock.session.run.folder.path
    dock.session.open_run(folder, 1)
    assert panel.scores is None
    assert not {"junk_score", "knn_distance"} & set(dock.session.latent.columns)
    dock.session.open_run(folder, 2)
    assert {"knn_distance", "gmm_likelihood"} <= set(dock.session.latent.columns)
    np.testing.assert_array_equal(panel.scores.scores, scores)
    assert panel.count_label.text().count("●") == 2
    assert not panel.agreement_button.isEnabled()  # this run has no images


def test_bounds_hold_for_known_values_only_and_classes_are_found_by_their_name(open_dock):
    latent = open_dock().session.latent
    columns = latent.columns.assign(score=np.where(np.arange(120) < 60, np.nan, 1.0))
    assert fulfilling(columns, [Between("score", high=2.0)]).sum() == 60
    assert of_class(columns["kmeans4"], "3").sum() == 30
    assert not of_class(columns["kmeans4"], "7").any()
    assert count_text(12_340, 1_318_990) == "12,340 of 1,318,990 selected (0.94 %)"


def test_a_new_umap_of_a_selection_can_be_chosen_as_axes(open_dock, settle):
    dock = open_dock()
    session = dock.session
    session.selections.apply(labels_of(dock) < 2, "replace", "some")
    places = np.full((120, 2), np.nan, np.float32)
    places[session.selections.mask] = 1.0
    # As one that was made: the fit itself is tested where it is.
    dock.clusters._take_umap(Embedding("UMAP of 60 particles", places, new=True))
    offered = {view.name: view for view in views(session.latent.columns)}
    view = offered["UMAP of 60 particles"]
    placed = np.isfinite(plot_points(session.latent.columns, view.names)).all(axis=1)
    np.testing.assert_array_equal(placed, session.selections.mask)
    dialog = NewUmapDialog(1_000_000, 60)
    assert "20,000 landmarks" in dialog.note.text()
    dialog.of_box.setCurrentIndex(1)
    assert dialog.of_selection
    assert not dialog.note.text()
