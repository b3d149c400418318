"""The points of the latent plot as OpenGL's own points.

napari's Points layer draws each marker as a pair of triangles with a shader for any symbol, and
prepares as much in Python: 100,000 of them take 0.7 s a frame where OpenGL is software, and
longer than a tenth of a second to recolour anywhere. Discs of one size need none of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vispy import gloo
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

VERTEX = """
uniform float u_size;
attribute vec3 a_position;
attribute vec4 a_colour;
varying vec4 v_colour;

void main() {
    gl_Position = $transform(vec4(a_position, 1.0));
    gl_PointSize = u_size;
    v_colour = a_colour;
}
"""

FRAGMENT = """
uniform float u_size;
varying vec4 v_colour;

void main() {
    if (u_size > 2.5) {
        float from_edge = (0.5 - length(gl_PointCoord - vec2(0.5))) * u_size;
        if (from_edge < 0.0) discard;
        gl_FragColor = vec4(v_colour.rgb, v_colour.a * min(1.0, from_edge + 0.3));
    } else {
        gl_FragColor = v_colour;
    }
}
"""


class PointCloudVisual(Visual):
    """Discs of one size on screen, each with its own colour."""

    def __init__(self) -> None:
        super().__init__(vcode=VERTEX, fcode=FRAGMENT)
        self._positions = gloo.VertexBuffer()
        self._colours = gloo.VertexBuffer()
        self._size = 5.0
        self._draw_mode = "points"
        self.shared_program["a_position"] = self._positions
        self.shared_program["a_colour"] = self._colours
        self.set_solid(False)
        self.n_points = 0

    def set_points(
        self, positions: npt.NDArray[np.float32], colours: npt.NDArray[np.float32]
    ) -> None:
        """Draw at these places (M, 3), (x, y, z), in these colours (M, 4)."""
        self.n_points = len(positions)
        self.visible = bool(len(positions))
        if len(positions):
            self._positions.set_data(np.ascontiguousarray(positions, np.float32))
            self._colours.set_data(np.ascontiguousarray(colours, np.float32))
        self.update()

    def set_colours(self, colours: npt.NDArray[np.float32]) -> None:
        """Change the colours (M, 4) alone."""
        if len(colours):
            self._colours.set_data(np.ascontiguousarray(colours, np.float32))
        self.update()

    def set_size(self, pixels: float) -> None:
        """Diameter, px."""
        self._size = pixels
        self.update()

    def set_solid(self, solid: bool) -> None:
        """Whether nearer points hide farther ones, in 3D, or later ones earlier, in 2D."""
        self.set_gl_state(
            blend=True,
            depth_test=solid,
            cull_face=False,
            blend_func=("src_alpha", "one_minus_src_alpha"),
        )
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        view.view_program.vert["transform"] = view.transforms.get_transform()

    def _prepare_draw(self, view: Any) -> bool | None:
        if not self.n_points:
            return False
        view.view_program["u_size"] = self._size * self.transforms.pixel_scale
        return None

    def _compute_bounds(self, axis: int, view: Any) -> tuple[float, float] | None:
        return None


PointCloud = create_visual_node(PointCloudVisual)
