"""Figures of the book, one module per subject; functions take data and an axis and return the axis."""
