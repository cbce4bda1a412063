"""Paper A: nested U-Net that segments ICSI frames and finds the needle tip (He et al. 2020).

from icsilib import segmentation

model = segmentation.load()  # looks twice, an extension of this study; load(looks=1) is the paper's method
prediction = model.predict(photograph)  # masks, tip and confidence in the photograph's own pixels
"""

from icsilib.segmentation.second_look import load
from icsilib.segmentation.segmenter import Prediction, Segmenter, WeightsError

__all__ = ["Prediction", "Segmenter", "WeightsError", "load"]
