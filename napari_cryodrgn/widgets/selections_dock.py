"""The *Selections* dock: the working selection, those that were kept, and ways to find more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari import Viewer
from qtpy.QtWidgets import QFrame, QScrollArea, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.io.pickles import read_indices
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.cluster_panel import ClusterPanel
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import LATENT, TRAIN, find_dock, open_dock
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.export_panel import ExportPanel
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.selection_on_plot import add_undo_keys, hidden_selections
from napari_cryodrgn.widgets.selections_find import FindPanel
from napari_cryodrgn.widgets.selections_images import SelectedImages
from napari_cryodrgn.widgets.selections_junk import JunkPanel
from napari_cryodrgn.widgets.selections_table import NamedSelections
from napari_cryodrgn.widgets.selections_working import WorkingSelection

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.config import TrainingConfig

EMPTY_TITLE = "No latent space is open"
EMPTY_TEXT = (
    "Open a run under Latent space. Then draw round particles there: lasso (L), polygon (P), "
    "rectangle (R) or brush (B). What you select is counted here, kept under a name, and saved "
    "with the run."
)


class SelectionsDock(SessionDock):
    """Working and named selections of the open run.

    Attributes
    ----------
    KEPT, FIND, CLUSTERS, IMAGES, JUNK, USE : int
        Its tabs.
    """

    KEPT, FIND, CLUSTERS, IMAGES, JUNK, USE = range(6)

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        book = self.session.selections
        self.notices = NoticeBar()
        self.empty = EmptyState(EMPTY_TITLE, EMPTY_TEXT, "")
        self.working = WorkingSelection(book, self.notices)
        hidden = hidden_selections(book)
        self.named = NamedSelections(book, hidden, self.notices)
        self.find = FindPanel(self.session)
        self.clusters = ClusterPanel(self.session, self.notices, self.own, self._theme)
        self.images = SelectedImages(self.session)
        self.junk = JunkPanel(self.session, self.own, self._theme)
        self.use = ExportPanel(self.session, self.own)
        self._stale: set[int] = set()
        self.tabs = QTabWidget()
        self._lay_out()
        self.tabs.currentChanged.connect(self._renew_tab)
        add_undo_keys(self, book)
        for signal in (book.changed, book.named_changed, book.done):
            self.listen(signal, self.working.refresh)
        self.listen(book.named_changed, self.named.refresh)
        self.listen(book.changed, self.junk.refresh)
        self.listen(book.marks_changed, self.junk.refresh)
        self.listen(book.marks_changed, self.images.refresh_marks)
        self.listen(book.changed, self.images.refresh)
        self.listen(self.session.picked, self.images.show_pick)
        self.listen(hidden.changed, self.named.refresh)
        for signal in (book.changed, book.named_changed):
            self.listen(signal, self.use.refresh)
        self.use.training_wanted.connect(self._prepare_training)
        self.listen(self.session.latent_changed, self._follow)
        self.at_end(self.find.shutdown)
        self.at_end(self.images.shutdown)
        self.clusters.column_made.connect(self._colour_plot)
        self.junk.column_made.connect(self._colour_plot)
        self.clusters.embedding_made.connect(self._show_embedding)
        self._follow()

    def _follow(self, *_: object) -> None:
        """Another latent space, or none."""
        latent = self.session.latent
        self._stack.setCurrentIndex(0 if latent is None else 1)
        self._stale = {self.FIND, self.CLUSTERS}
        self._renew_tab()
        self.images.follow()
        self.junk.follow()
        self.use.follow()
        self.working.refresh()
        self.named.refresh()

    def _renew_tab(self, *_: object) -> None:
        """Renew what is looked at now: counting clusters of a million takes its time."""
        index = self.tabs.currentIndex()
        if index in self._stale:
            self._stale.discard(index)
            if index == self.FIND:
                self.find.set_latent(self.session.latent)
            else:
                self.clusters.follow()

    def _prepare_training(self, config: TrainingConfig) -> None:
        """Open the Train dock on what was kept, with the settings of this run."""
        run = self.session.run
        if run is None or run.particles is None or config.ind is None:
            return
        kept = read_indices(
            config.ind, run.particles.rows.n_source, run.particles.source.fingerprint
        )
        particles = run.particles.at(run.particles.rows.positions_of(kept))
        fields = config.model_dump(include=set(ParticleConfig.model_fields))
        self.session.set_particles(particles, ParticleConfig(**fields))
        if isinstance(self.viewer, Viewer):
            dock = open_dock(self.viewer, TRAIN)
            dock.settings.prefill(config)

    def _theme(self) -> str:
        return str(self.viewer.theme)

    def _colour_plot(self, column: str) -> None:
        """Colour the latent plot by new labels, where it is open."""
        dock = find_dock(self.viewer, LATENT) if isinstance(self.viewer, Viewer) else None
        if dock is not None:
            dock.plot.choose_colour(column)

    def _show_embedding(self, name: str) -> None:
        """Show a new embedding in the latent plot, where it is open."""
        dock = find_dock(self.viewer, LATENT) if isinstance(self.viewer, Viewer) else None
        if dock is not None:
            dock.plot.choose_view(name)

    def _lay_out(self) -> None:
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.named, "Kept")
        self.tabs.addTab(scrolled(self.find), "By value")
        self.tabs.addTab(scrolled(self.clusters), "Clusters")
        self.tabs.addTab(scrolled(self.images), "Images")
        self.tabs.addTab(scrolled(self.junk), "Good / bad")
        self.tabs.addTab(scrolled(self.use), "Use")
        body = QWidget()
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        inner.addWidget(self.working)
        inner.addWidget(self.notices)
        inner.addWidget(self.tabs, 1)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(holder)


def scrolled(widget: QWidget) -> QScrollArea:
    """A widget that scrolls where there is too little room for it."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(widget)
    return area
