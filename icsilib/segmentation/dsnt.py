"""Differentiable spatial to numerical transform (Nibali et al. 2018, arXiv:1801.07372; paper A's reference 8).

Normalised coordinates run from -1 at an image's left or upper edge to 1 at its right or lower edge, so they mean the
same place at any resolution. The cells of a heatmap of n cells have their centres *inside* that range, e.g. n = 4:

    -1         0         1
     |--.--|--.--|--.--|--.--|      X = (-0.75, -0.25, 0.25, 0.75)

In the continuous pixel coordinates of `icsilib.data.annotations`, place x on a side of S px is c = 2x/S - 1.
"""

import torch
from torch import Tensor

CONFIDENCE_RADIUS = 3.0  # heatmap cells


def cell_centres(n: int, like: Tensor) -> Tensor:
    """X of n cells, (n,), normalised: X_j = (2j - (n + 1)) / n for j = 1 … n (§3.1); dtype and device of `like`."""
    j = torch.arange(1, n + 1, dtype=like.dtype, device=like.device)
    return (2 * j - (n + 1)) / n


def spatial_softmax(scores: Tensor) -> Tensor:
    """Scores (B, H, W) → heatmap (B, H, W) that is positive and sums to 1 over all H·W cells."""
    return scores.flatten(1).softmax(dim=1).view_as(scores)


def dsnt(heatmap: Tensor) -> Tensor:
    """Expected position (B, 2), x then y, normalised, under a normalised heatmap (B, H, W): eq. 7 of Nibali et al."""
    x = (heatmap.sum(dim=1) * cell_centres(heatmap.shape[2], heatmap)).sum(dim=1)
    y = (heatmap.sum(dim=2) * cell_centres(heatmap.shape[1], heatmap)).sum(dim=1)
    return torch.stack([x, y], dim=1)


def gaussian_heatmap(centre: Tensor, shape: tuple[int, int], sigma_px: float) -> Tensor:
    """Heatmap (B, H, W) of a normal distribution around `centre` (B, 2), normalised, that sums to 1.

    `sigma_px` is its standard deviation in *heatmap* px (cells), `shape` is (H, W).
    """
    if sigma_px <= 0:
        raise ValueError(f"sigma_px={sigma_px}: must be positive")
    axes = [
        # Squared distance in cells: a cell is 2/n wide in normalised units.
        ((cell_centres(n, centre) - centre[:, axis, None]) * n / 2) ** 2
        for axis, n in ((1, shape[0]), (0, shape[1]))
    ]
    # As a softmax of log-densities, so that a centre far outside the heatmap still gives a distribution.
    return spatial_softmax(-(axes[0][:, :, None] + axes[1][:, None, :]) / (2 * sigma_px**2))


def tip_confidence(heatmap: Tensor, y_coords: Tensor) -> Tensor:
    """Probability mass (B,) of heatmaps (B, H, W) within `CONFIDENCE_RADIUS` of the tip (B, 2) read from them.

    Near 1 where the heatmap has one sharp peak; small where it is broad, or where two peaks put the tip between them.
    """
    height, width = heatmap.shape[1:]
    dx = (cell_centres(width, heatmap) - y_coords[:, :1]) * width / 2
    dy = (cell_centres(height, heatmap) - y_coords[:, 1:]) * height / 2
    near = dx[:, None, :] ** 2 + dy[:, :, None] ** 2 <= CONFIDENCE_RADIUS**2
    return (heatmap * near).sum(dim=(1, 2))


def to_normalised(points: Tensor, side: float) -> Tensor:
    """Continuous image coordinates in px on a square of `side` px → normalised coordinates."""
    return 2 * points / side - 1


def to_pixels(coordinates: Tensor, side: float) -> Tensor:
    """Normalised coordinates → continuous image coordinates in px on a square of `side` px."""
    return (coordinates + 1) * side / 2
