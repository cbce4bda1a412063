"""The phantom's truth is measured in its pixels, on frames without noise, by means that do not use its geometry."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from icsilib.data.annotations import polygon_area
from icsilib.phantoms.icsi import PHASES, IcsiRanges, procedure

# An optical bench: flat field, no relief; only the dark cytoplasm, or only the dark needle, stands out.
BENCH = replace(
    IcsiRanges(),
    field_level=(0.6, 0.6), field_gradient=(0, 0), mottle=(0, 0), vignetting=(0, 0), relief=(0, 0), dust=(0, 0),
    debris=(0, 0), zona_level=(0, 0), membrane_line=(0, 0), membrane_halo=(0, 0), speckle=(0, 0), gamma=(1, 1),
    contrast=(1, 1), cumulus_share=0.0, caption_share=0.0, round_field_share=0.0, well_share=0.0,
    hidden_needle_share=0.0, no_pipette_share=1.0,
)  # fmt: skip
CELL = replace(BENCH, cytoplasm_level=(-0.4, -0.4), needle_edge_level=(0, 0), needle_lumen_level=(0, 0), bright_needle_share=0)
NEEDLE = replace(
    BENCH, cytoplasm_level=(0, 0), needle_edge_level=(-0.5, -0.5), needle_lumen_level=(-0.5, -0.5), needle_fade=(0, 0),
    needle_inside=(1, 1), needle_defocus=(0, 0), bright_needle_share=0.0,
)  # fmt: skip


def middle(seed: int, ranges: IcsiRanges, share: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8], object]:
    """A frame of a procedure, the empty field before it, and its truth."""
    video = procedure(seed, 0, 512, ranges, noise=False)
    frame = video.frame(int(share * video.n_frames))
    return frame.image, np.median(frame.image), frame


@pytest.mark.parametrize("seed", range(50))
def test_the_polygon_lies_on_the_rendered_membrane(seed: int) -> None:
    image, field, frame = middle(seed, CELL, (seed % 10) / 12 + 0.05)
    dark = (image < image.max() - 40).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = max(contours, key=len)[:, 0] + 0.5
    inner = edge[np.all((edge > 2) & (edge < 510), axis=1)]  # the frame's border is no membrane
    distance = [abs(cv2.pointPolygonTest(frame.oolemma.astype(np.float32), tuple(map(float, p)), True)) for p in inner]
    assert np.mean(distance) < 0.6
    assert np.percentile(distance, 99) < 1.5
    assert dark.sum() == pytest.approx(polygon_area(frame.oolemma), rel=0.01)


@pytest.mark.parametrize("seed", range(50))
def test_the_tip_is_the_end_of_the_rendered_needle(seed: int) -> None:
    image, field, frame = middle(seed, NEEDLE, 0.2 + (seed % 10) / 20)
    if frame.tip is None:
        pytest.skip("the needle is outside the frame")
    y, x = np.nonzero(image < image.max() - 60)
    dark = np.stack([x, y], axis=1) + 0.5
    end = dark[np.argmax(dark @ frame.tip_axis)]
    assert np.linalg.norm(end - frame.tip) < 2.0
    assert abs((end - frame.tip) @ frame.tip_axis) < 1.0
