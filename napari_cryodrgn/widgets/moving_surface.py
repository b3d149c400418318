"""A surface that follows the mouse, drawn without napari's and vispy's mesh in between.

A vispy mesh expands all triangles, finds their normals and has its shaders compiled anew for each
new surface, and a napari layer tells all of the window about it: several times what a surface
takes to compute. While a volume moves it is drawn here instead, over the layer it belongs to, in
its colour, place and light; once it rests the layer has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from vispy.gloo import IndexBuffer, VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

from napari_cryodrgn.widgets.sessions import is_closed, real_viewer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Surface

VERTEX = """
attribute vec3 position;
attribute vec3 normal;
attribute vec4 colour;
varying vec3 v_normal;
varying vec4 v_colour;
void main() {
    gl_Position = $transform(vec4(position, 1.0));
    vec4 tip = $to_scene(vec4(normal, 1.0));
    vec4 foot = $to_scene(vec4(0.0, 0.0, 0.0, 1.0));
    v_normal = tip.xyz / tip.w - foot.xyz / foot.w;
    v_colour = colour;
}
"""

# The Blinn-Phong model with the strengths and signs of vispy's ShadingFilter in napari's canvas,
# where normals of what faces the viewer come out turned inwards.
FRAGMENT = """
uniform vec3 light;
uniform vec3 eye;
varying vec3 v_normal;
varying vec4 v_colour;
void main() {
    vec3 normal = -normalize(v_normal);
    float diffuse = max(dot(-light, normal), 0.0);
    float gloss = clamp(dot(-normalize(light + eye), normal), 0.0, 1.0);
    float specular = diffuse > 0.0 ? pow(gloss, 100.0) : 0.0;
    gl_FragColor = vec4(v_colour.rgb * (0.25 + 0.7 * diffuse) + 0.25 * specular, v_colour.a);
}
"""


class MovingSurfaceVisual(Visual):
    """Triangles with a normal and a colour at each vertex."""

    def __init__(self) -> None:
        super().__init__(VERTEX, FRAGMENT)
        self._positions, self._normals, self._colours = (VertexBuffer() for _ in range(3))
        self._index_buffer = IndexBuffer()
        self._draw_mode = "triangles"
        self.shading: Any = None
        self.set_gl_state("translucent", depth_test=True, cull_face=False)

    def set_surface(
        self,
        vertices: npt.NDArray[np.float32],
        normals: npt.NDArray[np.float32],
        faces: npt.NDArray[np.uint32],
        colours: npt.NDArray[np.float32],
    ) -> None:
        """Show these triangles, x, y, z in the units of the layer; colours are RGBA, (V, 4)."""
        self._positions.set_data(vertices)
        self._normals.set_data(normals)
        self._colours.set_data(colours)
        self._index_buffer.set_data(faces)
        self.shared_program["position"] = self._positions
        self.shared_program["normal"] = self._normals
        self.shared_program["colour"] = self._colours
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        transforms = view.transforms
        view.view_program.vert["transform"] = transforms.get_transform()
        view.view_program.vert["to_scene"] = transforms.get_transform("visual", "scene")

    def _prepare_draw(self, view: Any) -> bool:
        # The eye looks along the depth of the document, whichever way the camera is turned.
        from_document = view.transforms.get_transform("document", "scene")
        ends = from_document.map(np.array([[0, 0, -1e-5, 1], [0, 0, 1e-5, 1]], dtype=float))
        ends = ends[:, :3] / ends[:, 3:]
        self.shared_program["eye"] = _unit(ends[1] - ends[0])
        light = (0, 0, -1) if self.shading is None else self.shading.light_dir
        self.shared_program["light"] = _unit(np.asarray(light, dtype=float))
        return True

    def _compute_bounds(self, axis: int, view: Any) -> None:
        """Unknown: nothing is fitted to it."""


MovingSurfaceNode = create_visual_node(MovingSurfaceVisual)


class MovingSurface:
    """Draws surfaces in place of a Surface layer for as long as they move.

    Parameters
    ----------
    viewer : napari viewer
        Whose layer it is.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = real_viewer(viewer)
        self._node: Any = None
        self._covered: Any = None

    @property
    def shown(self) -> bool:
        """Whether it is drawn now, in place of the layer."""
        return self._covered is not None

    def show(
        self,
        layer: Surface,
        vertices: npt.NDArray[np.float32],
        normals: npt.NDArray[np.float32],
        faces: npt.NDArray[np.uint32],
        values: npt.NDArray[np.float32],
    ) -> bool:
        """Draw a surface in place of what the layer holds.

        Parameters
        ----------
        layer : Surface
            Its place, colour and light are taken over.
        vertices, normals : (V, 3) float32 array
            In the axes of the layer's data.
        faces : (F, 3) uint32 array
            Vertices of each triangle.
        values : (V,) float32 array
            What the layer's colormap and contrast limits turn into colours.

        Returns
        -------
        bool
            False where the layer itself has to be given the surface: it is hidden, shown in 2D,
            or in a way that only napari draws.
        """
        drawn = self._drawn(layer)
        if drawn is None or not _simple(layer) or self._viewer.dims.ndisplay != 3:
            self.hide()
            return False
        if self._covered is not drawn:
            self.hide()
            self._covered = drawn
        node = self._placed_over(drawn)
        node.shading = drawn.shading_filter
        node.set_surface(_reversed(vertices), _reversed(normals), faces, _colours(layer, values))
        drawn.visible, node.visible = False, True
        return True

    def warm_up(self, layer: Surface) -> None:
        """Have the shaders compiled with the next frame, and not with the first one of a drag."""
        drawn = self._drawn(layer)
        if drawn is None or self._node is not None:
            return
        node = self._placed_over(drawn)
        nothing, unseen = np.zeros((3, 3), np.float32), np.zeros((3, 4), np.float32)
        node.set_surface(nothing, nothing + 1, np.arange(3, dtype=np.uint32)[None], unseen)

    def hide(self) -> None:
        """Let the layer be seen again."""
        if self._covered is None:
            return
        self._node.visible = False
        covered, self._covered = self._covered, None
        for layer in self._viewer.layers:
            if self._drawn(layer) is covered:
                covered.visible = layer.visible

    def shutdown(self) -> None:
        """Take it out of the canvas."""
        self.hide()
        if self._node is not None:
            self._node.parent = None
            self._node = None

    def _placed_over(self, drawn: Any) -> Any:
        """The node, made at need, where that of the layer is."""
        if self._node is None:
            self._node = MovingSurfaceNode()
        self._node.parent = drawn.parent
        self._node.transform = drawn.transform
        self._node.order = drawn.order
        return self._node

    def _drawn(self, layer: Any) -> Any:
        """What draws a layer; None where the viewer has no window, or none any more."""
        window = getattr(self._viewer, "window", None)
        if window is None or is_closed(self._viewer):
            return None
        visual = window._qt_viewer.canvas.layer_to_visual.get(layer)
        return None if visual is None else visual.node


def _simple(layer: Surface) -> bool:
    """Whether a layer is drawn as a plain surface in the colours of its values."""
    return bool(
        layer.visible
        and layer.shading == "smooth"
        and layer.texture is None
        and layer.vertex_colors is None
        and not layer.wireframe.visible
        and not layer.normals.face.visible
        and not layer.normals.vertex.visible
        and layer.blending == "translucent"
    )


def _colours(layer: Surface, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """RGBA of each vertex, (V, 4)."""
    low, high = layer.contrast_limits
    share = np.clip((values - low) / max(high - low, 1e-30), 0, 1)
    if len(share) and np.ptp(share) == 0:
        colours = np.repeat(layer.colormap.map(share[:1]), len(share), axis=0)
    else:
        colours = layer.colormap.map(share)
    colours = np.array(colours, dtype=np.float32)
    colours[:, 3] *= layer.opacity
    return colours


def _reversed(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """From the order of axes that napari has to that of vispy."""
    return np.ascontiguousarray(rows[:, ::-1], dtype=np.float32)


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
