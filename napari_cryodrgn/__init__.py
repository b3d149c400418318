"""Train cryoDRGN models in napari and explore their latent space live.

Nothing heavy is imported here: napari imports this package when its plugin
menu opens, and neither torch nor umap may be loaded by that.
"""

__version__ = "0.1.0"
