"""The latent space of a run: embeddings, clusters and paths through it."""
