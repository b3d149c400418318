"""``select``, ``cluster``, ``embed``: particles of a run chosen, grouped and laid out anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status, say
from napari_cryodrgn.errors import InputError

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.run import RunFolder

Run = Annotated[Path, typer.Argument(help="Run folder, of napari-cryodrgn or cryoDRGN.")]
Epoch = Annotated[
    int | None, typer.Argument(help="Epoch, counted from 1; the latest if left out.", min=0)
]
Seed = Annotated[int | None, typer.Option(help="Random seed.", min=0)]
Name = Annotated[str, typer.Option(help="Name of the result; made from the settings if left out.")]


def select(
    run: Run,
    epoch: Epoch = None,
    *,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="File: .pkl for cryoDRGN's --ind, .json for a selection."),
    ],
    where: Annotated[
        str,
        typer.Option("--where", help="Expression: 'kmeans in [1, 4] and defocus_u < 20000'."),
    ] = "",
    lasso: Annotated[
        Path | None, typer.Option("--lasso", help="Text file with a vertex, x and y, in each line.")
    ] = None,
    axes: Annotated[
        str, typer.Option("--axes", help="What the lasso is drawn in: UMAP, PCA, or 'z0,z3'.")
    ] = "",
    cluster: Annotated[
        str, typer.Option("--cluster", help="Labels and which of them: 'kmeans20:1,4'.")
    ] = "",
    selection: Annotated[
        str, typer.Option("--selection", help="A selection saved with the run, or a file of one.")
    ] = "",
    invert: Annotated[
        str, typer.Option("--invert", help="A selection whose particles are left out.")
    ] = "",
) -> None:
    """Choose particles of a run and write which they are; several conditions all have to hold.

    Indices (.pkl) count rows of the particle file, as cryoDRGN's --ind does.
    """
    with errors_as_status():
        from napari_cryodrgn.latent.expression_errors import ExpressionError
        from napari_cryodrgn.workflows.select import SelectionRequest
        from napari_cryodrgn.workflows.select import select as select_particles

        request = SelectionRequest(where, lasso, axes, cluster, selection, invert)
        try:
            result = select_particles(run, epoch, out, request)
        except ExpressionError as error:
            say("\n".join(f"  {line}" for line in error.marked.splitlines()))
            raise
    typer.echo(str(result))


def cluster(
    run: Run,
    epoch: Epoch = None,
    *,
    method: Annotated[
        Literal["kmeans", "gmm", "hdbscan"],
        typer.Option(help="k-means, Gaussian mixture, or HDBSCAN."),
    ] = "gmm",
    n_clusters: Annotated[
        int, typer.Option("-k", "--n-clusters", help="Clusters of k-means and the mixture.", min=1)
    ] = 8,
    min_cluster_size: Annotated[
        int, typer.Option(help="HDBSCAN: particles below which a group is no cluster.", min=2)
    ] = 100,
    space: Annotated[str, typer.Option(help="z, or an embedding: UMAP, PCA.")] = "z",
    seed: Seed = None,
    name: Name = "",
) -> None:
    """Group the particles of a run; the labels are kept with it as a column."""
    with errors_as_status():
        from napari_cryodrgn.latent.cluster_settings import ClusterSettings
        from napari_cryodrgn.workflows.cluster import cluster_run

        settings = ClusterSettings(method, n_clusters, min_cluster_size, space, seed or 0)
        folder, latent = _open(run, epoch)
        found = drive(cluster_run(folder, latent, settings, name), lambda: "Nothing was written.")
    typer.echo(f"{found.name}: {found.made}")
    for label, count in zip(found.names, found.counts, strict=True):
        typer.echo(f"{label}\t{count}")
    left_out = len(found.labels) - int(found.counts.sum())
    if left_out:
        typer.echo(f"none\t{left_out}")


def embed(
    run: Run,
    epoch: Epoch = None,
    *,
    n_neighbors: Annotated[int, typer.Option(help="Size of the neighbourhoods.", min=2)] = 15,
    min_dist: Annotated[float, typer.Option(help="Least distance of points, 0 to 1.")] = 0.1,
    metric: Annotated[
        Literal["euclidean", "cosine", "manhattan", "correlation"],
        typer.Option(help="Distance in the latent space."),
    ] = "euclidean",
    landmarks: Annotated[
        int | None,
        typer.Option(
            help="Fit so many particles and place the rest by them, 0 to fit all; if left out "
            "20000 where there are more than 200000.",
            min=0,
        ),
    ] = None,
    where: Annotated[str, typer.Option("--where", help="Expression: embed these alone.")] = "",
    seed: Seed = None,
    name: Name = "",
) -> None:
    """Make another UMAP of a run's particles, or of some; it is kept beside the first."""
    with errors_as_status():
        from napari_cryodrgn.latent.embedding import UmapSettings
        from napari_cryodrgn.latent.expression import matching
        from napari_cryodrgn.workflows.embed import embed_run

        settings = UmapSettings(n_neighbors, min_dist, metric, seed, landmarks)
        folder, latent = _open(run, epoch)
        mask = matching(where, latent.columns) if where else None
        task = embed_run(folder, latent, settings, mask=mask, name=name)
        result = drive(task, lambda: "Nothing was written.")
    typer.echo(f"{result.name}{'' if result.new else ' (was there already)'}")


def _open(run: Path, epoch: int | None) -> tuple[RunFolder, LatentSpace]:
    from napari_cryodrgn.workflows.open_run import open_run

    opened = open_run(run, epoch)
    if opened.latent is None:
        raise InputError("the run has no latent space", file=opened.folder.path)
    return opened.folder, opened.latent
