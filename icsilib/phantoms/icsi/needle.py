"""The injection needle and the sperm as layers of brightness, and how far the needle's tip stands out."""

import cv2
import numpy as np

from icsilib.phantoms.drawing import Picture, Points, stroked
from icsilib.phantoms.icsi.optics import Look, graded
from icsilib.phantoms.icsi.scene import Scene
from icsilib.phantoms.icsi.shapes import along, filled
from icsilib.phantoms.icsi.timeline import Timeline


def needle_layer(scene: Scene, look: Look, time: Timeline, index: int, tip: Points, oolemma: Points) -> Picture:
    """What the needle adds to the image: walls, lumen, drawn-in cytoplasm, sperm."""
    shown, aspirated = time.shown[index], float(time.aspirated[index])
    wall = 1.1 / scene.um_per_px
    # The strokes end round, half their width and a soft pixel's half beyond their last point: there is the tip.
    straight, bevelled = scene.needle(tip - 0.5 * (max(round(wall), 1) + 1) * scene.u)
    shaft = filled(np.concatenate([straight, bevelled[::-1]]), scene.shape)
    edges = stroked([straight, bevelled], scene.shape, wall)
    behind = along(tip, -scene.u, scene.size)
    layer = look.needle_edge_level * edges + look.needle_lumen_level * shaft * (1 - edges)
    if aspirated > 0:  # cytoplasm drawn into the lumen
        drawn = behind < aspirated / scene.um_per_px
        layer += (look.cytoplasm_level - look.needle_lumen_level) * shaft * (1 - edges) * drawn
    if time.sperm_inside[index]:
        layer += look.sperm_level * sperm(scene, tip - scene.u * 14 / scene.um_per_px)
    strength = shown * (1 - (1 - look.needle_inside) * filled(oolemma, scene.shape))
    strength *= 1 - look.needle_fade * np.clip(behind / scene.size * 1.5, 0, 1)
    blur = look.needle_defocus * 0.15 / scene.um_per_px + 0.3 + 1.5 * (1 - shown) / scene.um_per_px
    return np.asarray(cv2.GaussianBlur((layer * strength).astype(np.float32), (0, 0), blur))


def sperm(scene: Scene, place: Points, tail: float = 40) -> Picture:
    """A spermatozoon along the needle's axis, its head of 4.5 µm at `place`, `tail` µm of its tail behind it."""
    middle = place + scene.normal * scene.bevel_side * scene.needle_diameter / 2
    head = np.stack([middle - scene.u * 2.2 / scene.um_per_px, middle + scene.u * 2.2 / scene.um_per_px])
    end = np.stack([middle, middle - scene.u * tail / scene.um_per_px])
    thick = stroked([head], scene.shape, 2.4 / scene.um_per_px)
    return np.maximum(thick, stroked([end], scene.shape, 0.7 / scene.um_per_px))


def tip_contrast(
    image: Picture, needle: Picture, shading: Picture, tip: Points, reach: float, look: Look, blur: float
) -> tuple[float, float]:
    """Grey levels by which the needle changes the picture about its tip, and the grain there without it (SD).

    `image` holds the `needle` layer under the `shading`. The change is taken after the camera's `blur` (px) and
    grading, over those pixels within `reach` px of the tip that change most; the grain counts the camera's noise.
    """
    low, high = np.floor(tip - reach).astype(int).clip(0), np.ceil(tip + reach).astype(int)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    change = cv2.GaussianBlur(needle[window], (0, 0), blur)
    change *= shading[window]
    if not np.any(change):
        return 0.0, 0.0
    middle, bare = float(image.mean()), image[window] - needle[window] * shading[window]
    without = graded(bare, look, middle)
    seen = np.abs(graded(bare + change, look, middle) - without)
    contrast = seen[np.abs(change) > 0.3 * np.abs(change).max()].mean()
    return float(contrast), float(np.hypot(without.std(), 255 * look.noise))
