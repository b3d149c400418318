"""The network: positional encodings, encoder, decoder, checkpoints."""
