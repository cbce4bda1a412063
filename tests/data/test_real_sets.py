"""The real data sets, as they are upstream: counts, places in the video, and that nothing is skipped."""

from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from icsilib.cli import app
from icsilib.data import bu_bil, embryo, svia
from icsilib.data.annotations import AnnotationError, mask_of, read_coco
from icsilib.data.images import read_grey
from icsilib.data.manifest import load_manifest, mirror_root
from icsilib.data.structures import IMPURITY, SPERM


def upstream(name: str) -> Path:
    """The data set's files in the mirror, which is laid out as upstream."""
    base_url = str(load_manifest().entry(name).base_url)
    place = (mirror_root() or Path("none")) / base_url.removeprefix("https://")
    if not place.is_dir():
        pytest.skip("needs real data: set ICSILIB_MIRROR to a folder laid out as host/path")
    return place


def test_bu_bil_has_five_people_two_tools_and_35_frames() -> None:
    data = bu_bil.load(upstream("bu-bil"))
    assert data.masks.shape == (5, 2, 35, 1030, 1300)
    assert data.frames == tuple(f"B{i:02}" for i in range(1, 36))
    assert Counter(map(tuple, data.sizes.tolist())) == {(811, 1024): 34, (1030, 1300): 1}
    assert data.masks.any(axis=(3, 4)).all()
    assert bu_bil.copied(data) == ("Person2",)  # its two folders hold the same files
    gold = read_grey(next(upstream("bu-bil").rglob("GoldStandard/seg_B18.png"))) < 128
    masks = data.masks[:, :, 17, :811, :1024]
    overlap = (masks & gold).sum(axis=(2, 3)) / (masks | gold).sum(axis=(2, 3))
    assert (overlap > 0.5).all()


def test_svia_has_its_frames_sperm_and_impurities() -> None:
    dataset = svia.load(upstream("svia"))
    counts = Counter(annotation.category_id for annotation in dataset.annotations)
    assert counts == {SPERM.id: 6724, IMPURITY.id: 149}
    videos = Counter(image.video_id for image in dataset.images)
    assert videos == {"S_0001": 45, "S_0002": 19, "S_0003": 38, "S_0004": 82, "S_0005": 36}


def test_svia_frame_index_is_the_place_in_the_video() -> None:
    folder = upstream("svia")
    image = next(each for each in svia.load(folder).images if (each.video_id, each.frame_index) == ("S_0002", 7))
    photograph = cv2.imread(str(folder / image.file_name)).astype(float)
    with av.open(str(next(folder.rglob("S_0002.mp4")))) as video:
        frames = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    differences = [np.abs(frame - photograph).mean() for frame in frames]
    assert int(np.argmin(differences)) == 7


def test_embryo_frames_hold_one_region_of_all_cells() -> None:
    dataset = embryo.load(upstream("embryo"))
    assert [len(each.segmentation or ()) for each in dataset.annotations] == [2, 3, 3, 4, 7, 8]
    assert [image.frame_index for image in dataset.images] == [141, 142, 156, 157, 221, 222]
    for annotation in dataset.annotations:
        assert mask_of(annotation, 800, 800).sum() == pytest.approx(annotation.area, rel=1e-3)


@pytest.mark.parametrize("load", [bu_bil.load, svia.load, embryo.load])
def test_a_folder_without_the_data_names_the_remedy(load, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="icsi data fetch"):
        load(tmp_path)


def test_convert_prints_the_report(tmp_path: Path) -> None:
    boxes = upstream("svia") / svia.SET / "Subset-A"
    out = tmp_path / "svia.json"
    words = ["data", "convert", str(boxes), str(out), "--label", "S=sperm", "--label", "impurity="]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].endswith("(voc): 220 images, 6724 of 6873 objects kept")
    assert lines[1] == "  149 skipped: label 'Impurity' is left out on request"
    assert len(read_coco(out).annotations) == 6724
