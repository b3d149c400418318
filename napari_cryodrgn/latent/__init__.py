"""The latent space of a run: embeddings, clusters, traversals."""
