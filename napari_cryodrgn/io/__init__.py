"""Files of others and ours: MRC, STAR, cs, pickles, run configuration. No torch."""
