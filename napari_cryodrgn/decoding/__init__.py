"""From a latent point to a volume."""
