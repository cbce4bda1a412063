from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from icsilib.data.annotations import (
    Dataset,
    Image,
    polygon_annotation,
    polygons_to_mask,
    tip_annotation,
    write_coco,
)
from icsilib.data.preprocess import Preprocess, geometry
from icsilib.data.structures import ICSI_CATEGORIES, OOLEMMA
from icsilib.segmentation.dsnt import dsnt, gaussian_heatmap, tip_confidence, to_normalised
from icsilib.segmentation.evaluate import (
    by_confidence,
    by_contrast,
    by_group,
    flops,
    frame_table,
    masks_at,
    perfect_table,
    presence_auc,
    speed,
    summarise,
    worst,
)
from icsilib.segmentation.frames import load_frames
from icsilib.segmentation.nested_unet import Output
from icsilib.segmentation.segmenter import Look, Prediction, Segmenter
from icsilib.segmentation.settings import PROFILES, Settings

from .drawn import write_drawn_dataset


class Oracle(torch.nn.Module):
    """Answers with the truth, the tip moved by (3, 4) px; knows each frame by its place in the order of calls."""

    def __init__(self, frames):
        super().__init__()
        self.frames, self.seen = frames, 0

    def forward(self, images):
        chosen = slice(self.seen, self.seen + len(images))
        self.seen += len(images)
        tips = torch.from_numpy(np.nan_to_num(self.frames.tips[chosen], nan=10.0) + np.array([3, 4])).float()
        z = gaussian_heatmap(to_normalised(tips, self.frames.size), (64, 64), 1.0)
        return Output(
            torch.from_numpy(self.frames.masks[chosen]).float() / 255, z, to_normalised(tips, self.frames.size)
        )


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return load_frames(write_drawn_dataset(tmp_path_factory.mktemp("drawn"), size=128), Preprocess(128))


def test_a_perfect_model_moved_by_five_px_of_128_is_20_px_off_at_512(frames):
    table = frame_table(Oracle(frames), frames, batch=5)
    assert len(table) == len(frames)
    assert table["iou_oolemma"].min() > 0.985  # what remains is the soft edge of a mask at 128 px
    assert table["tip_px"].dropna().to_numpy() == pytest.approx(20, abs=1e-3)
    assert table["tip_um"].dropna().to_numpy() == pytest.approx(2.5, abs=1e-3)  # 5 px of 0.5 µm


def test_a_perfect_model_of_wide_photographs_has_no_error(tmp_path):
    """On 144 px a frame of 320×180 lies from row 31, (144 - 81) / 2 cut; on 512 from 112 = 31.5 · 512/144."""
    ring, tip = np.array([[100.0, 40], [180, 40], [180, 120], [100, 120]]), [200.0, 90.0]
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((180, 320), np.uint8))
    image = Image(id=1, file_name="0.png", width=320, height=180, video_id="v", um_per_px=0.5)
    labels = [polygon_annotation(1, 1, OOLEMMA, [ring]), tip_annotation(2, 1, tip)]
    write_coco(Dataset(images=[image], annotations=labels, categories=list(ICSI_CATEGORIES)), tmp_path / "a.json")

    class Knows(Segmenter):
        def predict_all(self, images):
            masks = np.stack([polygons_to_mask([ring], 180, 320), np.zeros((180, 320), bool)])
            off = np.add(tip, [3, 4])
            look = Look(np.ones((1, 1), np.float32), geometry((320, 180), Preprocess(144)))
            return [Prediction(masks, off, 1.0, masks.astype(np.float32), look) for _ in images]

    frames = load_frames(tmp_path / "a.json", Preprocess(144))
    row = frame_table(Knows(torch.nn.Identity(), Settings("", size=144), {}), frames).iloc[0]
    assert row["iou_oolemma"] == 1
    assert row["tip_px"] == pytest.approx(5 * 512 / 320)
    assert row["tip_um"] == pytest.approx(5 * 0.5)


def test_frames_without_an_object_are_left_out_and_counted(frames):
    score = summarise(frame_table(Oracle(frames), frames), "iou_pipette")
    assert (score.n, score.left_out, score.videos) == (8, 4, 4)
    assert summarise(frame_table(Oracle(frames), frames), "tip_px").left_out == 4


def test_false_alarms_are_said(frames):
    class Everywhere(Oracle):
        def forward(self, images):
            output = super().forward(images)
            return output._replace(y_seg=torch.ones_like(output.y_seg))

    table = frame_table(Everywhere(frames), frames)
    assert table["false_pipette"].sum() == 4
    assert table["false_oolemma"].sum() == 0


def test_confidence_is_set_beside_what_came_true():
    confidence = np.repeat([0.1, 0.5, 0.9], 4)
    errors = [50, 40, 20, 30, 5, 5, 20, 20, 1, 1, 1, 2]
    table = by_confidence(pd.DataFrame({"tip_confidence": confidence, "tip_px": errors}), 3)
    assert table["within"].tolist() == [0, 0.5, 1]
    assert table["confidence"].tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert table["tips"].tolist() == [4, 4, 4]


def test_interval_goes_by_video():
    # All frames of a video agree: the interval must be as wide as that of ten numbers, however many frames there are.
    rng = np.random.default_rng(0)
    means = rng.normal(0.9, 0.05, 10)
    few = pd.DataFrame({"video_id": np.repeat(range(10), 2), "x": np.repeat(means, 2)})
    many = pd.DataFrame({"video_id": np.repeat(range(10), 200), "x": np.repeat(means, 200)})
    assert summarise(few, "x").interval == pytest.approx(summarise(many, "x").interval)
    low, high = summarise(many, "x").interval
    half = stats.t.ppf(0.975, 9) * means.std(ddof=1) / np.sqrt(10)
    assert (high - low) / 2 == pytest.approx(half, rel=0.02)
    assert 0.9 < summarise(many, "x").coverage < 1


def test_one_video_has_no_interval_and_none_has_no_score():
    table = pd.DataFrame({"video_id": ["a", "a"], "x": [1.0, 3.0], "y": [np.nan, np.nan]})
    one, none = summarise(table, "x"), summarise(table, "y")
    assert (one.mean, one.videos, one.interval) == (2, 1, None)
    assert (none.n, none.left_out, none.videos, none.interval) == (0, 2, 0, None)
    assert np.isnan([none.mean, none.sd, none.median]).all()


def test_groups_and_worst_frames():
    table = pd.DataFrame(
        {
            "video_id": ["a", "a", "b", "c"],
            "kit": ["K1", "K1", "K2", "K2"],
            "iou_oolemma": [0.5, 0.6, 0.9, np.nan],
            "iou_pipette": [0.9, 0.9, 0.8, 0.7],
            "tip_px": [1.0, 9.0, 5.0, np.nan],
        }
    )
    assert by_group(table, "kit").loc["K2", "frames"] == 2
    assert by_group(table, "kit").loc["K1", "iou_oolemma"] == pytest.approx(0.55)
    assert worst(table, "iou_oolemma").index.tolist() == [0, 2]
    assert worst(table, "tip_px").index.tolist() == [1, 2]
    assert by_group(table, "kit")["tips"].tolist() == [2, 1]


def test_tips_are_grouped_by_how_far_they_stand_out():
    table = pd.DataFrame({"tip_contrast": [0.9, 1.0, 1.4, 7.0, 0.0], "tip_px": [30.0, 4.0, 12.0, 1.0, np.nan]})
    rows = by_contrast(table, edges=(0.8, 1.0, 2.0, 5.0))
    assert rows.index.tolist() == ["0.8 to 1.0", "1.0 to 2.0", "2.0 to 5.0", "5.0 and more"]
    assert rows["tips"].tolist() == [1, 2, 0, 1]
    assert (rows.loc["1.0 to 2.0", "mean"], rows.loc["1.0 to 2.0", "within_10_px"]) == (8.0, 0.5)


def test_confidence_is_the_mass_near_the_tip():
    sharp = gaussian_heatmap(torch.zeros(1, 2), (64, 64), 1.0)
    flat = torch.full((1, 64, 64), 1 / 64**2)
    # Of a normal distribution in two dimensions, 1 - exp(-r²/2σ²) lies within r.
    assert tip_confidence(sharp, dsnt(sharp)).item() == pytest.approx(1 - np.exp(-4.5), abs=0.01)
    assert tip_confidence(flat, dsnt(flat)).item() == pytest.approx(np.pi * 9 / 64**2, rel=0.15)


def test_presence_auc():
    table = pd.DataFrame({"tip_present": [True, True, False, False], "tip_confidence": [0.9, 0.4, 0.4, 0.1]})
    assert presence_auc(table) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(presence_auc(table[:2]))


def test_masks_are_cut_at_one_half_after_interpolation():
    y_seg = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]] * 2])
    assert masks_at(y_seg, 4)[0, 0].tolist() == [[False, False, True, True]] * 4


def test_flops_of_a_convolution_worked_by_hand_and_speed():
    settings = Settings("tiny", size=16, widths=(2, 4), reading="bilinear")
    # Two operations for each product: 9·(channels in)·(channels out) a pixel, at 16² and 8² px.
    at_16 = 9 * (1 * 2 + 2 * 2 + (2 + 4) * 2 + 2 * 2 + 2 * 2) * 16**2
    at_8 = (9 * (2 * 4 + 4 * 4) + 4) * 8**2
    assert flops(settings) == 2 * (at_16 + at_8)
    assert speed(Segmenter(settings.build().eval(), settings, {}), frames=2).milliseconds > 0


def test_flops_of_the_paper_profile():
    assert flops(PROFILES["paper"]) / 1e9 == pytest.approx(191.3, rel=0.01)


def test_a_perfect_model_scores_what_labels_leave(frames):
    """Against the truth itself everything is right; against outlines moved by 3 px of 512 the tip is 3 px off."""
    perfect = perfect_table(frames, frames)
    assert (perfect[["iou_oolemma", "iou_pipette"]].dropna() == 1).all(axis=None)
    assert (perfect["tip_px"].dropna() == 0).all()
    moved = replace(frames, tips=frames.tips + 3 * frames.size / 512 * np.array([0.6, 0.8]))
    assert perfect_table(frames, moved)["tip_px"].dropna().to_numpy() == pytest.approx(3)
    with pytest.raises(ValueError, match="other frames"):
        perfect_table(frames, replace(frames, records=frames.records[::-1]))
