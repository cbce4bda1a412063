"""Helper library of *ICSI Reproduced*: the code that the book's notebooks stand on.

`icsilib.segmentation` is paper A (He et al. 2020), `icsilib.detection` is paper B (Wu et al. 2021);
neither imports the other. See `book/how-to-run.md` for the map of the project.
"""

__version__ = "0.1.0"
