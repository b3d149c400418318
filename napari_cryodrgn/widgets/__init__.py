"""The napari window. The only place for Qt, napari, vispy and pyqtgraph."""
