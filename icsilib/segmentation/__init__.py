"""Paper A: nested U-Net that segments ICSI frames and finds the needle tip (He et al. 2020).

from icsilib import segmentation

model = segmentation.load()
prediction = model.predict(photograph)  # masks, tip and confidence in the photograph's own pixels
"""

from icsilib.segmentation.segmenter import Prediction, Segmenter, WeightsError, load

__all__ = ["Prediction", "Segmenter", "WeightsError", "load"]
