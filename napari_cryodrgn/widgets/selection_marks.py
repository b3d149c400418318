"""Colours of particles marked as good or bad, on the plot, in the gallery and in the dock."""

GOOD_COLOUR, BAD_COLOUR = "#2fbf8f", "#e5484d"
