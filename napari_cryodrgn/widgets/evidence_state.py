"""What speaks for the state shown: particles near it, and a map of their images."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.latent.trust import Trust
from napari_cryodrgn.widgets.evidence_fsc import FSCPlot
from napari_cryodrgn.widgets.theme import ERROR_COLOUR, WARNING_COLOUR, dim_label

VERDICTS = {
    "supported": ("Supported", "#2fbf8f"),
    "thin": ("Thinly supported", WARNING_COLOUR),
    "far from data": ("Far from data", ERROR_COLOUR),
}


class StateEvidence(QWidget):
    """Verdict and numbers of the state, and the map that the images around it give."""

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.verdict = QLabel("No state yet")
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        self.numbers = dim_label("Click a particle in the latent space.")
        self.map_button = QPushButton("Map from the images here")
        self.map_button.setToolTip(
            "Reconstruct the particles around this state from their images alone, the nearest\n"
            "counting most: what the data say here, next to what the network says"
        )
        self.follow_box = QCheckBox("whenever a state rests")
        self.follow_box.setToolTip("Make this map again for each state that is clicked or settles")
        self.beside_box = QCheckBox("beside the decoded one")
        self.beside_box.setChecked(True)
        self.beside_box.setToolTip(
            "Show maps of images beside the decoded one; over it where this is off"
        )
        self.difference_box = QCheckBox("coloured by difference")
        self.difference_box.setToolTip(
            "Colour the map of the images by where the decoded one differs from it: red where the\n"
            "network has more density, blue where the images have"
        )
        self.colour_button = QPushButton("Colour the plot by support")
        self.colour_button.setToolTip(
            "Colour the latent space by how far each particle's neighbours are: high values are\n"
            "thinly supported"
        )
        self.result = dim_label("")
        self.result.setVisible(False)
        self.plot = FSCPlot()
        self.plot.setVisible(False)
        self.map_button.clicked.connect(self.asked)
        line = QHBoxLayout()
        line.addWidget(self.map_button)
        line.addWidget(self.follow_box)
        line.addStretch(1)
        shown = QHBoxLayout()
        shown.addWidget(self.beside_box)
        shown.addWidget(self.difference_box)
        shown.addStretch(1)
        support = QHBoxLayout()
        support.addWidget(self.colour_button)
        support.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.verdict, self.numbers):
            layout.addWidget(widget)
        for row in (support, line, shown):
            layout.addLayout(row)
        layout.addWidget(self.result)
        layout.addWidget(self.plot)

    def show_trust(self, trust: Trust | None) -> None:
        """Show what speaks for a state, or that there is none."""
        if trust is None:
            self.verdict.setText("No state yet")
            self.verdict.setStyleSheet("")
            self.numbers.setText("Click a particle in the latent space.")
            return
        words, colour = VERDICTS[trust.verdict]
        self.verdict.setText(words)
        self.verdict.setStyleSheet(f"color: {colour};")
        self.numbers.setText(_trust_text(trust))

    def show_result(self, text: str) -> None:
        """Say what the map is made of; "" where there is none."""
        self.result.setText(text)
        self.result.setVisible(bool(text))
        if not text:
            self.plot.setVisible(False)


def _trust_text(trust: Trust) -> str:
    lines = [
        f"{trust.n_near:,} particles near; where data are dense, at least {trust.wanted} are.",
        f"Its neighbours are {trust.relative:.1f} times as far as usual, farther than those of "
        f"{trust.share_denser:.0%} of the particles.",
    ]
    if trust.encoder_spread is not None:
        lines.append(
            f"The encoder places particles here to within {trust.encoder_spread:.0%} of the spread."
        )
    return "\n".join(lines).replace("%", " %")
