"""``python -m napari_cryodrgn`` is the command line."""

from napari_cryodrgn.cli import main

if __name__ == "__main__":
    main()
