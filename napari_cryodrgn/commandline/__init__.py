"""Parts of the command line: options made from models, progress, multi-value options."""
