"""Maps from particles: backprojection, Fourier shell correlation, kernel-weighted maps."""
