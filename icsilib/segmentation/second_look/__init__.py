"""The study's extension of paper A: the network looks again, at close-ups of what it found. Not in the paper.

`load()` returns the study's model with it; `load(looks=1)` returns the paper's method.
"""

from icsilib.segmentation.second_look.looking import SECOND_LOOK, TwoLooks, load, with_flips, with_second_look

__all__ = ["SECOND_LOOK", "TwoLooks", "load", "with_flips", "with_second_look"]
