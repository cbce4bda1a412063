"""How alike are rendered frames and photographs? Three measures that need no model.

Grey levels say how bright and contrasty a picture is, the spectrum of its gradients how coarse or fine its
structure, and the contrast across a labelled boundary how the cell sets itself off from what lies around it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from icsilib.data.annotations import Polygon, outward_normals, resampled

Grey = NDArray[np.uint8]  # (S, S)
Curve = NDArray[np.float64]  # (bins,)


def close_up(image: Grey, outline: Polygon, margin: float = 1.5, size: int = 192) -> tuple[Grey, Polygon]:
    """The square around a cell, `margin` times as wide as the cell, resized to `size` px; and the outline in it.

    Brings cells photographed at different scales to one size. The square is moved inside the image where it can be.
    """
    low, high = outline.min(axis=0), outline.max(axis=0)
    side = min(int(np.ceil(margin * (high - low).max())), *image.shape)
    corner = np.clip(np.round((low + high - side) / 2), 0, np.array(image.shape[::-1]) - side).astype(int)
    crop = image[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
    resized = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8), (outline - corner) * size / side


def grey_histogram(images: Sequence[Grey], bins: int = 64) -> tuple[Curve, Curve]:
    """Grey levels in the middle of each of `bins` equal bins of 0..256, and the share of all pixels in each."""
    counts, edges = np.histogram(np.stack(images), bins=bins, range=(0, 256))
    return (edges[:-1] + edges[1:]) / 2, counts / counts.sum()


def gradient_spectrum(images: Sequence[Grey], bins: int = 40) -> tuple[Curve, Curve]:
    """Spatial frequencies (cycles/px, up to 0.5) and the share of the images' gradient energy at each.

    Power of the horizontal and vertical gradient under a Hann window, summed over rings of equal width and
    averaged over images after each is scaled to a sum of 1, so that a contrasty image weighs no more.
    """
    side = images[0].shape[0]
    window = np.outer(np.hanning(side), np.hanning(side))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    ring = np.minimum((frequency / 0.5 * bins).astype(int), bins)  # the corners, beyond 0.5, are left out
    spectra = []
    for image in images:
        gradients = np.gradient(image.astype(float))
        power = sum(np.abs(np.fft.fft2((g - g.mean()) * window)) ** 2 for g in gradients)
        energy = np.bincount(ring.ravel(), np.asarray(power).ravel(), minlength=bins + 1)[:bins]
        spectra.append(energy / energy.sum())
    return (np.arange(bins) + 0.5) * 0.5 / bins, np.mean(spectra, axis=0)


def boundary_contrast(image: Grey, outline: Polygon, reach: float = 3.0, points: int = 256) -> Curve:
    """Grey level outside minus inside a closed outline (N, 2), `reach` px to each side, at `points` equal steps.

    Its mean is how much darker the cell is than its surroundings; its standard deviation is the relief, bright on
    one flank and dark on the other. Points whose samples leave the image are left out.
    """
    place, _ = resampled(outline, points)
    normal = outward_normals(place)
    outside, inside = place + reach * normal, place - reach * normal
    size = np.array(image.shape[::-1])
    kept = np.all((outside > 1) & (outside < size - 1) & (inside > 1) & (inside < size - 1), axis=1)
    return _sampled(image, outside[kept]) - _sampled(image, inside[kept])


def _sampled(image: Grey, points: NDArray[np.float64]) -> Curve:
    """Bilinear grey levels at points (N, 2) in continuous image coordinates."""
    x, y = (points - 0.5).astype(np.float32).T
    return cv2.remap(image.astype(np.float32), x, y, cv2.INTER_LINEAR).ravel().astype(float)
