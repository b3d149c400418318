"""Clusters in the dock: made in the background, selected, renamed, merged, split, and decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.clusters import Clustering, free_name, representatives
from napari_cryodrgn.latent.selection import Combine
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.cluster_columns import cluster_columns, cluster_rows, clustering_of
from napari_cryodrgn.widgets.cluster_form import ClusterForm
from napari_cryodrgn.widgets.cluster_gallery import Gallery, GalleryPicture, rgb_of
from napari_cryodrgn.widgets.cluster_table import ClusterTable
from napari_cryodrgn.widgets.cluster_umap import NewUmapDialog
from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.selection_modes import (
    MODIFIERS_TEXT,
    combine_of,
    held_modifiers,
)
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.theme import theme_colours
from napari_cryodrgn.widgets.window_words import input_message


class ClusterPanel(QWidget):
    """Clusters of the open run.

    `column_made` carries the column by which the plot should be coloured now, `embedding_made`
    the name of an embedding that it should show.
    """

    column_made = Signal(str)
    embedding_made = Signal(str)

    def __init__(
        self,
        session: Session,
        notices: NoticeBar,
        own: Callable[[TaskHandle], TaskHandle],
        theme: Callable[[], str],
    ) -> None:
        super().__init__()
        self._session, self._notices, self._own, self._theme = session, notices, own, theme
        self.form, self.table, self.gallery = ClusterForm(), ClusterTable(), Gallery()
        self.tasks = TaskBar(pausable=False)
        self.column_box = QComboBox()
        self.select_button, self.merge_button = QPushButton("Select"), QPushButton("Merge")
        self.split_button, self.gallery_button = QPushButton("Split"), QPushButton("Gallery")
        self.umap_button = QPushButton("New UMAP…")
        self._lay_out()
        self.form.wanted.connect(self.cluster)
        self.table.itemSelectionChanged.connect(self._offer)
        self.table.renamed.connect(self.rename)
        self.table.wanted.connect(self.select)
        self.column_box.activated.connect(self._column_chosen)
        self.select_button.clicked.connect(self._select_chosen)
        self.merge_button.clicked.connect(self.merge)
        self.split_button.clicked.connect(self.split)
        self.gallery_button.clicked.connect(self.decode)
        self.umap_button.clicked.connect(self._ask_umap)
        self.gallery.chosen.connect(session.pick)

    # What is there

    @property
    def clustering(self) -> Clustering | None:
        """The clusters that are shown."""
        latent, column = self._session.latent, self.column_box.currentData()
        if latent is None or column not in latent.columns:
            return None
        return clustering_of(latent, column)

    def follow(self, column: str | None = None) -> None:
        """Another latent space, or the same one with another column, which is then shown."""
        latent = self._session.latent
        self.setEnabled(latent is not None)
        if latent is None:
            return
        self.form.set_latent(latent)
        wanted = column or self.column_box.currentData()
        names = cluster_columns(latent)
        self.column_box.clear()
        for name in names:
            self.column_box.addItem(column_title(name), name)
        fallback = next((name for name in names if name.startswith("kmeans")), None)
        index = self.column_box.findData(wanted if wanted in names else fallback)
        self.column_box.setCurrentIndex(max(0, index))
        self._show()

    def _column_chosen(self, *_: object) -> None:
        self._show()
        self.column_made.emit(self.column_box.currentData())

    def _show(self) -> None:
        latent, clustering = self._session.latent, self.clustering
        rows = [] if latent is None or clustering is None else cluster_rows(latent, clustering)
        self.table.show_rows(rows)
        self.gallery.clear()
        self.gallery.setVisible(False)
        self._offer()

    def _offer(self) -> None:
        n, busy = len(self.table.chosen), self.tasks.task is not None
        self.select_button.setEnabled(n > 0)
        self.merge_button.setEnabled(n > 1 and not busy)
        self.split_button.setEnabled(n == 1 and not busy)
        there = self.clustering is not None and self._session.decodable
        self.gallery_button.setEnabled(there and not busy)
        for button in (self.form.button, self.umap_button):
            button.setEnabled(self._session.run is not None and not busy)

    # What can be done

    def cluster(self) -> None:
        """Cluster all particles as the form asks."""
        from napari_cryodrgn.workflows.cluster import cluster_run

        run, latent = self._session.run, self._session.latent
        if run is not None and latent is not None:
            settings = self._checked(self.form.settings)
            if settings is not None:
                self._run(
                    partial(cluster_run, run.folder, latent, settings), self._take, "Clusters"
                )

    def split(self, *_: object) -> None:
        """Cluster the particles of the chosen cluster again, as the form asks."""
        from napari_cryodrgn.workflows.cluster import split_cluster

        run, latent, clustering = self._session.run, self._session.latent, self.clustering
        settings = self._checked(self.form.settings)
        if run is None or latent is None or clustering is None or settings is None:
            return
        name = self.table.chosen[0]
        make = partial(split_cluster, run.folder, latent, clustering, name, settings)
        self._run(make, self._take, f"Splitting {name}")

    def merge(self, *_: object) -> None:
        """Make one of the chosen clusters, as a new column."""
        clustering = self.clustering
        if clustering is not None:
            column = self._free(f"{clustering.name}_merged")
            chosen: list[str | int] = [*self.table.chosen]
            self._keep(lambda: clustering.merged(chosen, column))

    def rename(self, name: str, new_name: str) -> None:
        """Rename a cluster: in labels made here at once, else in a new column."""
        clustering, run = self.clustering, self._session.run
        if clustering is None or run is None:
            return
        ours = (run.folder.clusterings / f"{clustering.name}.npz").is_file()
        column = clustering.name if ours else self._free(f"{clustering.name}_named")
        if not self._keep(lambda: clustering.renamed(name, new_name, column)):
            self._show()

    def select(self, *names: str, how: Combine = "replace") -> None:
        """Select the particles of clusters."""
        clustering = self.clustering
        if clustering is None or not names:
            return
        mask = clustering.mask(names[0])
        for name in names[1:]:
            mask = mask | clustering.mask(name)
        made = f"{column_title(clustering.name)} = {', '.join(names)}"
        self._session.selections.apply(mask, how, made)

    def decode(self, *_: object) -> None:
        """Decode the particle in the middle of each cluster, and show the volumes."""
        latent, clustering = self._session.latent, self.clustering
        if latent is None or clustering is None or self._session.run is None:
            return
        run, epoch = self._session.run.folder, self._session.run.epoch
        rows = cluster_rows(latent, clustering)
        ground = rgb_of(theme_colours(self._theme()).plot)

        def make() -> Task[list[GalleryPicture]]:
            from napari_cryodrgn.workflows.cluster_gallery import GalleryView, decoded_gallery

            found = representatives(latent.mu, clustering)
            there = [number for number in range(len(rows)) if found[number] >= 0]
            colours = [rgb_of(rows[number].colour) for number in there]
            z_values = latent.mu[found[there]]
            view = GalleryView(background=ground)
            pictures = yield from decoded_gallery(run, epoch, z_values, colours, view)
            return [
                GalleryPicture(rows[n].name, rows[n].count, int(found[n]), picture)
                for n, picture in zip(there, pictures, strict=True)
            ]

        self._run(make, self._show_gallery, "Gallery")

    def make_umap(self, dialog: NewUmapDialog) -> None:
        """Make a UMAP as the dialog asks."""
        from napari_cryodrgn.workflows.embed import embed_run

        run, latent = self._session.run, self._session.latent
        settings = self._checked(dialog.settings)
        if run is None or latent is None or settings is None:
            return
        book = self._session.selections
        mask = book.mask.copy() if dialog.of_selection else None
        of = f"{book.count} particles"
        name = dialog.name_edit.text().strip()
        make = partial(embed_run, run.folder, latent, settings, mask=mask, of=of, name=name)
        self._run(make, self._take_umap, "New UMAP")

    # How it is done

    def _run(
        self, make: Callable[[], Task[Any]], done: Callable[[Any], object], title: str
    ) -> None:
        self._notices.clear()
        handle = self._own(start_task(make, title, done=done))
        self.tasks.follow(handle)
        handle.finished.connect(self._offer)
        self._offer()

    def _take(self, clustering: Clustering) -> None:
        """Labels have been made and saved: show them as a column."""
        from napari_cryodrgn.workflows.cluster_files import with_clustering

        self._put(lambda latent: with_clustering(latent, clustering))
        self.follow(clustering.name)
        self.column_made.emit(clustering.name)

    def _take_umap(self, embedding: Any) -> None:
        from napari_cryodrgn.workflows.cluster_files import with_embedding

        self._put(lambda latent: with_embedding(latent, embedding.name, embedding.places))
        if not embedding.new:
            self._notices.say(f"This one was there already: {embedding.name}")
        self.embedding_made.emit(embedding.name)

    def _put(self, change: Callable[[LatentSpace], LatentSpace]) -> None:
        """Show the latent space with one thing more."""
        run, latent = self._session.run, self._session.latent
        if run is None or latent is None:
            return
        changed = self._checked(partial(change, latent))  # refused where another run is open now
        if changed is not None:
            self._session.set_run(replace(run, latent=changed))

    def _keep(self, make: Callable[[], Clustering]) -> bool:
        """Save changed labels with the run and show them; False, with the reason shown, if not."""
        from napari_cryodrgn.workflows.cluster_files import save_clustering

        run, latent = self._session.run, self._session.latent
        clustering = self._checked(make)
        if clustering is None or run is None or latent is None:
            return False
        if self._checked(partial(save_clustering, run.folder, latent.rows, clustering)) is None:
            return False
        self._take(clustering)
        return True

    def _checked(self, make: Callable[[], Any]) -> Any:
        """What this gives; None, with the reason shown, where it is refused."""
        try:
            return make()
        except InputError as error:
            self._notices.say(input_message(error)[0], "warning")
            return None

    def _free(self, wanted: str) -> str:
        latent = self._session.latent
        taken = [] if latent is None else [str(name) for name in latent.columns.columns]
        return free_name(wanted, taken)

    def _show_gallery(self, pictures: list[GalleryPicture]) -> None:
        self.gallery.show_pictures(pictures)
        self.gallery.setVisible(True)

    def _select_chosen(self, *_: object) -> None:
        self.select(*self.table.chosen, how=combine_of(held_modifiers()))

    def _ask_umap(self, *_: object) -> None:
        latent = self._session.latent
        if latent is not None:
            dialog = NewUmapDialog(len(latent), self._session.selections.count, self)
            if dialog.exec():
                self.make_umap(dialog)

    def _lay_out(self) -> None:
        self.select_button.setToolTip(
            f"Select the particles of the chosen clusters. {MODIFIERS_TEXT}"
        )
        self.merge_button.setToolTip("Make one of the chosen clusters; labels are a new column")
        self.split_button.setToolTip(
            "Cluster the chosen one again by the method above; labels are a new column"
        )
        self.gallery_button.setToolTip("Decode the particle in the middle of each cluster")
        self.umap_button.setToolTip("Another UMAP, of all particles or of the selected ones")
        self.column_box.setToolTip("Labels that are listed below; the plot is coloured by them")
        head = QHBoxLayout()
        head.addWidget(QLabel("Clusters of"))
        head.addWidget(self.column_box, 1)
        head.addWidget(self.umap_button)
        line = QHBoxLayout()
        line.setSpacing(4)
        for button in (
            self.select_button,
            self.merge_button,
            self.split_button,
            self.gallery_button,
        ):
            line.addWidget(button)
        self.gallery.setVisible(False)
        both = QSplitter(Qt.Orientation.Vertical)
        both.setChildrenCollapsible(False)
        both.addWidget(self.table)
        both.addWidget(self.gallery)
        self.table.setMinimumHeight(70)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.form)
        layout.addWidget(self.tasks)
        layout.addLayout(head)
        layout.addWidget(both, 1)
        layout.addLayout(line)
