"""Image physics: lattice, Hartley transform, CTF, rotations, preparation of images."""
