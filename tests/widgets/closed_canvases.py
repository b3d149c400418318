"""Two canvases are drawn and closed, one of them with `free_at_the_end`; what is left of each.

Run as a program: contexts can be shared only before there is an application.
"""

from __future__ import annotations

import sys

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.widgets.shared_contexts import free_at_the_end, share_contexts

VERTEX = "attribute vec2 place; void main() { gl_Position = vec4(place, 0, 1); }"
FRAGMENT = "void main() { gl_FragColor = vec4(1, 1, 1, 1); }"


def main() -> None:
    """Print whether the program of each still exists, the freed one's first."""
    share_contexts()
    QApplication([])
    from vispy import app, gloo
    from vispy.gloo import gl

    app.use_app("pyside6")

    class Drawn(app.Canvas):
        def __init__(self) -> None:
            super().__init__()
            self.program = gloo.Program(VERTEX, FRAGMENT)
            self.program["place"] = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)]
            self.show()

        def on_draw(self, _: object) -> None:
            self.program.draw("triangles")

    def drawn(free: bool) -> tuple[Drawn, int]:
        canvas = Drawn()
        if free:
            free_at_the_end(canvas)
        canvas.native.grabFramebuffer()
        parser = canvas.context.shared.parser
        return canvas, parser.get_object(canvas.program.id)._handle

    freed, first = drawn(True)
    left, second = drawn(False)
    witness, _ = drawn(False)
    for canvas in (freed, left):
        native = canvas.native
        canvas.close()
        native.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
    witness.native.makeCurrent()
    sys.stdout.write(f"{gl.glIsProgram(first)} {gl.glIsProgram(second)}")


if __name__ == "__main__":
    main()
