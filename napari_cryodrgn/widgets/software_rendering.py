"""Whether OpenGL is done by the processor."""

from __future__ import annotations

from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

GL_RENDERER = 0x1F01


def software_rendering() -> bool:
    """Whether OpenGL is done by the processor, where painting a volume takes seconds."""
    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return True
    try:
        name = str(context.functions().glGetString(GL_RENDERER)).lower()
    except AttributeError:  # PyQt6 offers no functions of the context
        return False
    finally:
        context.doneCurrent()
    return any(word in name for word in ("llvmpipe", "softpipe", "swrast", "software"))
