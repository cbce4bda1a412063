"""Frames are cut out of a notebook made here, and become labels whose outline and tip are known."""

import base64
import json
from hashlib import sha1, sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from icsilib.data import icsi_frames
from icsilib.data.annotations import AnnotationError, mask_of, tip_of
from icsilib.data.icsi_frames import FIGURES, VARIABLE, Figure, find, labels_of, load, tip_of_needle
from icsilib.data.manifest import load_manifest
from icsilib.data.structures import NEEDLE, OOLEMMA

SIDE = 200  # px of a panel as drawn here, of which 3 px are cut off each side
GREYS, COLOURS = ((170,) * 3, (90,) * 3, (250,) * 3), ((220, 20, 40), (100, 20, 170), (80, 180, 10))


def drawn_mask(egg: tuple[int, ...], needle: tuple[int, ...], sperm: tuple[int, ...]) -> NDArray[np.uint8]:
    """A disc of radius 60 px in the middle, a needle 7 px high from the right side to x = 110, a sperm in it."""
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    cv2.circle(mask, (100, 100), 60, egg, -1)
    mask[97:104, 110:] = needle
    mask[99:102, 150:156] = sperm
    return mask


def drawn_photo() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(20, 200, (SIDE, SIDE, 3)).astype(np.uint8)


def as_png(*panels: NDArray[np.uint8]) -> bytes:
    """A page with black-framed panels side by side, 40 px of white about each, as PNG."""
    framed = [cv2.rectangle(panel.copy(), (0, 0), (SIDE - 1, SIDE - 1), (0, 0, 0)) for panel in panels]
    apart = [cv2.copyMakeBorder(panel, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=(255,) * 3) for panel in framed]
    return cv2.imencode(".png", np.hstack(apart))[1].tobytes()


@pytest.fixture
def figure(tmp_path: Path) -> Figure:
    """The second of two figures of the notebook a.ipynb in `tmp_path`."""
    photo, mask = drawn_photo(), drawn_mask(*GREYS)
    wanted, other = as_png(photo, mask, mask), as_png(photo[::-1], mask, mask)
    outputs = [{"data": {"image/png": base64.b64encode(png).decode()}} for png in (other, wanted)]
    cells = [{"source": "no output"}, {"outputs": [{"text": "said"}, *outputs]}]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    inside = slice(3, SIDE - 3)
    pixels = sha256(photo[inside, inside].tobytes() + mask[inside, inside].tobytes()).hexdigest()[:16]
    return Figure(sha1(wanted).hexdigest()[:8], "a.ipynb", "r", pixels)


def test_the_named_figure_is_cut_out_and_the_other_left_alone(figure: Figure, tmp_path: Path) -> None:
    dataset = load(tmp_path, (figure,))
    assert [(image.width, image.video_id) for image in dataset.images] == [(SIDE - 6, "r")]
    cut = sorted(path.name for path in tmp_path.glob("*.png"))
    assert cut == [f"{figure.key}_image.png", f"{figure.key}_mask.png"]
    assert (cv2.imread(str(tmp_path / dataset.images[0].file_name)) == drawn_photo()[3:-3, 3:-3]).all()


def test_cut_frames_load_without_the_notebook(figure: Figure, tmp_path: Path) -> None:
    first = load(tmp_path, (figure,))
    (tmp_path / "a.ipynb").unlink()
    assert load(tmp_path, (figure,)) == first


def test_the_oolemma_has_the_needles_part_in_it_and_the_tip_is_the_far_end(figure: Figure, tmp_path: Path) -> None:
    dataset = load(tmp_path, (figure,))
    oolemma, needle = dataset.annotations
    assert (oolemma.category_id, needle.category_id) == (OOLEMMA.id, NEEDLE.id)
    disc = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (100, 100), 60, 1, -1)[3:-3, 3:-3] > 0
    differing = mask_of(oolemma, SIDE - 6, SIDE - 6) ^ disc
    assert differing.sum() < 0.01 * disc.sum()
    assert tip_of(needle) == pytest.approx([107, 97.5])  # row 100 and column 110, less the 3 px that were cut off


def test_labels_in_colour_are_those_in_grey() -> None:
    grey, coloured = labels_of(drawn_mask(*GREYS)), labels_of(drawn_mask(*COLOURS))
    assert (grey[0] == coloured[0]).all()
    assert tip_of_needle(grey[1]) == pytest.approx(tip_of_needle(coloured[1]))


def test_a_needle_from_the_left_ends_at_its_right_and_one_across_has_no_tip() -> None:
    needle = np.zeros((100, 100), bool)
    needle[50:53, :40] = True
    assert tip_of_needle(needle) == pytest.approx([40, 51.5])
    needle[50:53] = True
    assert tip_of_needle(needle) is None
    assert tip_of_needle(np.zeros_like(needle)) is None


def test_other_pixels_and_missing_figures_are_refused(figure: Figure, tmp_path: Path) -> None:
    load(tmp_path, (figure,))
    changed = tmp_path / f"{figure.key}_mask.png"
    cv2.imwrite(str(changed), 255 - cv2.imread(str(changed)))
    with pytest.raises(AnnotationError, match=r"_image\.png: has other pixels"):
        load(tmp_path, (figure,))
    with pytest.raises(AnnotationError, match="holds no figure ffffffff"):
        load(tmp_path, (Figure("ffffffff", "a.ipynb", "r", ""),))
    (tmp_path / "a.ipynb").write_text("[]")
    with pytest.raises(AnnotationError, match="not a notebook that can be read"):
        load(tmp_path, (Figure("ffffffff", "a.ipynb", "r", ""),))


def test_they_are_found_where_the_variable_says(
    figure: Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find((figure,)) == tmp_path
    assert find() is None


def test_the_manifest_lists_every_notebook_and_says_that_none_is_passed_on() -> None:
    entry = load_manifest().entry("icsi-frames")
    assert {file.path for file in entry.all_files()} == {figure.notebook for figure in FIGURES}
    assert "not redistributed" in entry.licence
    assert len({figure.recording for figure in FIGURES}) == entry.counts["recordings"]


def test_the_five_frames_are_those_of_the_source() -> None:
    folder = icsi_frames.find()
    if folder is None:
        pytest.skip(f"needs the photographs: name their folder in {VARIABLE}")
    dataset = load(folder)
    assert [len([a for a in dataset.annotations if a.image_id == image.id]) for image in dataset.images] == [2] * 5
