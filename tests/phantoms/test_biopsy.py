import numpy as np
import pytest

from icsilib.data.annotations import read_coco
from icsilib.data.images import read_rgb
from icsilib.data.splits import PARTS, read_split
from icsilib.detection.images import images_of
from icsilib.phantoms.biopsy import PATIENTS, PHENOTYPES, SIZES, BiopsyRanges, biopsy_image, render
from icsilib.phantoms.biopsy.shapes import draw_sperm
from icsilib.phantoms.biopsy_dataset import (
    BENCHMARK_IMAGES,
    CROWD,
    biopsy_set,
    write_biopsy_benchmark,
    write_biopsy_crowd,
    write_biopsy_dataset,
)
from icsilib.phantoms.biopsy_dataset import BIOPSY_PROFILES as PROFILES
from icsilib.phantoms.dataset import DatasetError
from icsilib.phantoms.drawing import filled, stroked

RANGES = BiopsyRanges()
NO_SPERM = BiopsyRanges(sperm_per_image=(1.0, *[0.0] * 7))
ONE_SPERM = BiopsyRanges(sperm_per_image=(0.0, 1.0, *[0.0] * 6))


@pytest.fixture
def small(monkeypatch):
    """Images of a tenth of the area, so that a test renders in milliseconds."""
    monkeypatch.setattr(render, "SIZES", {"dense": (150, 240), "diffuse": (125, 200)})


def test_same_seed_same_image(small):
    first, again, other = biopsy_image(5, 17), biopsy_image(5, 17), biopsy_image(6, 17)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.boxes.tolist() == again.boxes.tolist()
    assert first.pixels.tobytes() != other.pixels.tobytes()


def test_sizes_are_the_published_ones():
    assert SIZES == {"dense": (1050, 1680), "diffuse": (400, 640)}
    image = next(image for image in (biopsy_image(0, number) for number in range(20)) if image.kind == "diffuse")
    assert image.pixels.shape == (400, 640, 3)
    assert image.pixels.dtype == np.uint8


def test_boxes_lie_in_the_image_and_each_has_a_phenotype(small):
    for number in range(15):
        image = biopsy_image(1, number)
        height, width = image.pixels.shape[:2]
        assert len(image.boxes) == len(image.phenotypes)
        assert set(image.phenotypes) <= set(PHENOTYPES)
        assert (image.boxes[:, :2] >= 0).all()
        assert (image.boxes[:, 2:] > 0).all()
        assert (image.boxes[:, :2] + image.boxes[:, 2:] <= [width, height]).all()


@pytest.mark.parametrize("phenotype", ["normal", "bent_tail", "deformed", "head_only"])  # the others: as normal
def test_boxes_fit_the_drawn_sperm_to_a_pixel(phenotype):
    """The sperm alone, without blur and noise, painted four times finer: its pixels reach to every side of its box."""
    fine, side = 4, 430
    for seed in range(6):
        rng = np.random.default_rng(seed)
        sperm = draw_sperm(rng, phenotype, np.array([215.0, 215.0]), rng.uniform(0.24, 0.6), RANGES)
        painted = np.maximum.reduce([filled(head * fine, (side * fine,) * 2) for head in sperm.heads])
        for line, width in sperm.strokes():
            painted = np.maximum(painted, stroked([line * fine], painted.shape, width * fine))
        columns, rows = np.flatnonzero(painted.max(axis=0) > 0.5), np.flatnonzero(painted.max(axis=1) > 0.5)
        x, y, width, height = sperm.box(side, side)
        edges = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / fine
        np.testing.assert_allclose(edges, [x, y, x + width, y + height], atol=0.8)


def test_a_box_is_cut_at_the_border():
    sperm = draw_sperm(np.random.default_rng(0), "normal", np.array([4.0, 4.0]), 0.3, RANGES)
    x, y, width, height = sperm.box(50, 40)
    assert min(x, y) >= 0
    assert x + width <= 40
    assert y + height <= 50


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_what_the_sperm_changes_in_the_image_is_in_its_box(small, number):
    """The same scene with and without its sperm: the change lies in the box, but for the halo of 4 µm around it."""
    with_sperm = biopsy_image(2, number, ONE_SPERM, noise=False)
    without = biopsy_image(2, number, NO_SPERM, noise=False)
    change = np.abs(with_sperm.pixels.astype(float) - without.pixels).sum(axis=2)
    (x, y, width, height), halo = with_sperm.boxes[0], 4 / with_sperm.um_per_px
    rows, columns = np.indices(change.shape)
    inside = (columns + 1 > x - halo) & (columns < x + width + halo) & (rows + 1 > y - halo)
    inside &= rows < y + height + halo
    assert change.sum() > 0
    assert change[inside].sum() > 0.98 * change.sum()


def test_anatomy_is_that_of_the_ranges():
    for seed in range(20):
        sperm = draw_sperm(np.random.default_rng(seed), "normal", np.zeros(2), 0.5, RANGES)
        head = sperm.heads[0] * 0.5  # µm
        spread = np.sort(np.sqrt(np.linalg.eigvalsh(np.cov((head - head.mean(axis=0)).T))))
        assert 2.5 / 2 * 0.6 < spread[0] < 3.5 / 2 * 0.8  # an ellipse of half-axis a has a standard deviation a / √2
        length = np.linalg.norm(np.diff(sperm.tail, axis=0), axis=1).sum() * 0.5
        assert RANGES.tail_length[0] <= length + 1e-9
        assert length <= RANGES.tail_length[1] + 1e-9
    assert draw_sperm(np.random.default_rng(0), "head_only", np.zeros(2), 0.5, RANGES).strokes() == []


def test_about_one_sperm_an_image_and_many_images_without():
    """Paper B's benchmark: 111 sperm on 110 images."""
    shares = np.array(RANGES.sperm_per_image)
    assert shares.sum() == pytest.approx(1)
    assert np.array(RANGES.phenotype_shares).sum() == pytest.approx(1)
    assert shares @ np.arange(8) == pytest.approx(111 / 110, abs=0.1)
    assert shares[0] > 0.4


def test_profiles():
    assert (PROFILES["paper"].images, PROFILES["standard"].images, PATIENTS, BENCHMARK_IMAGES) == (702, 702, 30, 110)
    with pytest.raises(DatasetError, match="images=29: needs 30"):
        biopsy_set(type(PROFILES["quick"])(images=29), seed=0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A data set of 34 small images: patients 0 to 3 have two each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "SIZES", {"dense": (60, 96), "diffuse": (60, 96)})
        yield write_biopsy_dataset(tmp_path_factory.mktemp("biopsy") / "set", images=34, seed=3, workers=1)


def test_data_set_on_disk(written):
    data = read_coco(written / "annotations.json")
    assert len(data.images) == 34
    assert len({image.patient_id for image in data.images}) == 30
    for image in data.images[:6]:
        rendered = biopsy_image(3, int(image.file_name.rsplit("-", 1)[1].removesuffix(".png")))
        mine = [record for record in data.annotations if record.image_id == image.id]
        np.testing.assert_allclose([record.bbox for record in mine] or np.zeros((0, 4)), rendered.boxes, atol=0.0051)
        assert [record.model_extra["phenotype"] for record in mine] == rendered.phenotypes
        assert (read_rgb(written / image.file_name) == rendered.pixels).all()
    assert "kind" in (written / "datasheet.md").read_text()


def test_split_is_by_patient_80_10_10(written):
    data = read_coco(written / "annotations.json")
    split = read_split(written / "split.json", data)
    assert [len(getattr(split, part)) for part in PARTS] == [24, 3, 3]
    groups = {part: {image.group for image in images_of(written, part)} for part in PARTS}
    assert not groups["train"] & (groups["validation"] | groups["test"])
    assert not groups["validation"] & groups["test"]


def test_benchmark_has_other_patients_than_its_training_set(small, monkeypatch):
    """Its seed is another, so that its patients' optics and every image are new, though ids repeat."""
    monkeypatch.setattr("icsilib.phantoms.biopsy_dataset.write_phantom_set", lambda plan, *_: plan.parameters)
    assert write_biopsy_benchmark("anywhere", seed=3) == {"images": 110, "seed": 100_003}
    assert biopsy_image(3, 0).um_per_px != biopsy_image(100_003, 0).um_per_px


def test_a_crowded_set_holds_two_images_of_each_patient_with_many_sperm(small, tmp_path):
    folder = write_biopsy_crowd(tmp_path / "crowd", 31, seed=0, workers=1)
    dataset = read_coco(folder / "annotations.json")
    images = images_of(folder)
    assert len(images) == 62
    assert len({image.group for image in images}) == 31
    least = {image.id: CROWD[str((image.model_extra or {})["kind"])] for image in dataset.images}
    assert all(len(image.boxes) >= least[image.id] for image in images)
    # The 31st patient has a seed of its own: none of its images is one of the first patient's.
    first, last = (sorted((folder / "images" / f"patient-{number:03d}").iterdir()) for number in (0, 30))
    assert {path.read_bytes() for path in first}.isdisjoint(path.read_bytes() for path in last)
    with pytest.raises(DatasetError, match="patients=9"):
        write_biopsy_crowd(tmp_path / "few", 9)
