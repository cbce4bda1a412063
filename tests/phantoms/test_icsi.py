"""The phantom's truth is measured in its pixels, on frames without noise, by means that do not use its geometry."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from icsilib.data.annotations import polygon_area
from icsilib.phantoms.icsi import PHASES, Frame, IcsiRanges, procedure
from icsilib.phantoms.icsi_dataset import IcsiData

# An optical bench: flat field, no relief; only the dark cytoplasm, or only the dark needle, stands out.
BENCH = replace(
    IcsiRanges(),
    field_level=(0.6, 0.6), field_gradient=(0, 0), mottle=(0, 0), vignetting=(0, 0), relief=(0, 0), dust=(0, 0),
    debris=(0, 0), zona_level=(0, 0), membrane_line=(0, 0), membrane_halo=(0, 0), speckle=(0, 0), gamma=(1, 1),
    contrast=(1, 1), cumulus_share=0.0, caption_share=0.0, round_field_share=0.0, well_share=0.0, clump_share=0.0,
    hidden_needle_share=0.0, neighbour_share=0.0, letterbox_share=0.0, hard_share=0.0, no_tools_share=0.0,
    no_tools_cleaving_share=0.0, zona_speckle=(0, 0), tip_contrast_to_texture=0.0,
    no_pipette_share=1.0,
    sperm_level=(0, 0),
)  # fmt: skip
HARD = replace(IcsiRanges(), hard_share=0.5, clump_share=0.0)  # a clump that hides tips has a test of its own
CELL = replace(
    BENCH, cytoplasm_level=(-0.4, -0.4), needle_edge_level=(0, 0), needle_lumen_level=(0, 0), bright_needle_share=0
)
NEEDLE = replace(
    BENCH, cytoplasm_level=(0, 0), needle_edge_level=(-0.5, -0.5), needle_lumen_level=(-0.5, -0.5), needle_fade=(0, 0),
    needle_inside=(1, 1), off_centre=(-0.08, 0.08), um_per_px_512=(0.4, 0.7), needle_defocus=(0, 0),
    bright_needle_share=0.0,
)  # fmt: skip


def at(seed: int, ranges: IcsiRanges, share: float) -> Frame:
    """The frame that lies at a share of a procedure, without noise."""
    video = procedure(seed, 0, 512, ranges, noise=False)
    return video.frame(int(share * video.n_frames))


@pytest.mark.parametrize("seed", range(50))
def test_the_polygon_lies_on_the_rendered_membrane(seed: int) -> None:
    frame = at(seed, CELL, (seed % 10) / 30 + 0.05)  # up to breakthrough: the deepest funnels
    fine = cv2.resize(frame.image, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)  # quarters of a pixel
    halfway = (int(frame.image.min()) + int(frame.image.max())) / 2
    contours, _ = cv2.findContours((fine < halfway).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = (max(contours, key=len)[:, 0] + 0.5) / 4
    inner = edge[np.all((edge > 2) & (edge < 510), axis=1)]  # the frame's border is no membrane
    signed = [cv2.pointPolygonTest(frame.oolemma.astype(np.float32), tuple(map(float, p)), True) for p in inner]
    assert np.max(np.abs(signed)) < 1.0
    assert abs(np.mean(signed)) < 0.1  # neither larger nor smaller
    assert (fine < halfway).sum() / 16 == pytest.approx(polygon_area(frame.oolemma), rel=0.005)


@pytest.mark.parametrize("seed", range(50))
def test_the_tip_is_the_end_of_the_rendered_needle(seed: int) -> None:
    frame = at(seed, NEEDLE, 0.2 + (seed % 10) / 20)
    assert frame.tip is not None
    y, x = np.nonzero(frame.image < frame.image.max() - 60)
    dark = np.stack([x, y], axis=1) + 0.5
    reach = (dark - frame.tip) @ frame.tip_axis
    sideways = (dark - frame.tip) @ [-frame.tip_axis[1], frame.tip_axis[0]]
    end = reach.max(), sideways[reach > reach.max() - 0.7].mean()  # the middle of the foremost pixels
    assert np.hypot(*end) < 1.0


def test_a_procedure_is_the_same_whenever_and_in_whatever_order_it_is_rendered() -> None:
    first, again = procedure(3, 5, 96), procedure(3, 5, 96)
    later = again.frame(60)
    assert np.array_equal(first.frame(10).image, again.frame(10).image)
    assert np.array_equal(first.frame(60).image, later.image)
    assert np.array_equal(first.frame(60).oolemma, later.oolemma)
    assert not np.array_equal(procedure(4, 5, 96).frame(10).image, later.image)


def test_the_tip_is_absent_exactly_where_it_cannot_be_seen() -> None:
    """The needle's contrast is measured by rendering the same frame without it."""
    absent = {"out of view": 0, "faint": 0}
    present = 0
    for number in range(40):
        video = procedure(0, number, 128, HARD, noise=False)
        bare = replace(video, timeline=replace(video.timeline, shown=np.zeros(video.n_frames)))
        for index in range(5, video.n_frames, 20):
            frame, ranges = video.frame(index), video.ranges
            jitter = video.timeline.tremor[index] / video.um_per_px * (video.timeline.tip[index] < 0.9)
            tip = video.scene_at(index).tip_at(video.timeline.tip[index]) + jitter
            back = tip - frame.tip_axis * ranges.needle_in_view / video.um_per_px
            left, top, right, bottom = video.screen.box
            ends = np.array([tip, back])
            if (
                np.any(ends <= [left + 1, top + 1])
                or np.any(ends >= [right - 1, bottom - 1])
                or video.screen.captioned(tip)
            ):
                assert frame.tip is None
                absent["out of view"] += 1
                continue
            reach = max(3.0, 8 / video.um_per_px)
            y, x = np.mgrid[0:128, 0:128] + 0.5
            near = (abs(x - tip[0]) < reach + 1) & (abs(y - tip[1]) < reach + 1)
            without = bare.frame(index).image[near].astype(float)
            change = np.abs(frame.image[near] - without)
            contrast = change[change >= 0.3 * change.max()].mean()
            needed = max(ranges.tip_contrast, ranges.tip_contrast_to_texture * without.std())
            if frame.tip is None:  # defocus and noise, absent here, take most of what is left
                assert contrast < 6 * max(needed, 0.35 * 255 * video.look.noise)
                absent["faint"] += 1
            else:
                np.testing.assert_allclose(frame.tip, tip)
                assert contrast > 0.5 * needed
                present += 1
    assert absent["out of view"] > 10
    assert absent["faint"] > 10
    assert present > 80


def test_truth_follows_the_drifting_stage() -> None:
    video = procedure(0, 2, 256, replace(CELL, stage_drift=(20, 20), wobble=(0.001, 0.001)), noise=False)
    far = int(np.argmax(np.abs(video._drift[:20]).max(axis=1))), int(np.argmin(np.abs(video._drift[:20]).max(axis=1)))
    middles = []
    for index in far:
        frame = video.frame(index)
        dark = np.argwhere(frame.image < (int(frame.image.min()) + int(frame.image.max())) / 2)[:, ::-1] + 0.5
        np.testing.assert_allclose(dark.mean(axis=0), polygon_centroid(frame.oolemma), atol=0.2)
        middles.append(dark.mean(axis=0))
    np.testing.assert_allclose(middles[0] - middles[1], video._drift[far[0]] - video._drift[far[1]], atol=0.2)


def polygon_centroid(points: np.ndarray) -> np.ndarray:
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    return ((points + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())


def test_a_suction_pipette_that_leaves_is_in_truth_while_it_is_in_view() -> None:
    video = procedure(0, 1, 128, replace(IcsiRanges(), pipette_leaves_share=1.0, hard_share=0.0, no_pipette_share=0.0))
    retreat = video.timeline.retreat
    assert (video.frame(int(np.argmax(retreat))).pipette is None) == (retreat.max() == 1)
    held = video.frame(int(np.argmin(retreat)))
    assert held.pipette is not None
    leaving = np.flatnonzero((retreat > 0) & (retreat < 0.2))
    moved = video.frame(int(leaving[0])).pipette
    assert moved is not None
    assert polygon_area(moved) < polygon_area(held.pipette)


def test_a_cell_alone_rests_and_has_no_tools() -> None:
    video = procedure(0, 0, 128, replace(IcsiRanges(), no_tools_share=1.0, no_tools_cleaving_share=1.0))
    for index in range(0, video.n_frames, 40):
        frame = video.frame(index)
        assert (frame.pipette, frame.tip, frame.phase) == (None, None, "withdrawn")
    assert not video.timeline.indentation.any()


def test_nothing_is_labelled_behind_black_bars() -> None:
    for number in range(6):
        video = procedure(2, number, 128, replace(IcsiRanges(), letterbox_share=1.0, caption_share=0.0, hard_share=0.0))
        left, top, right, bottom = (int(side) for side in video.screen.box)
        frame = video.frame(60)
        bars = np.ones((128, 128), bool)
        bars[top:bottom, left:right] = False
        assert bars.any()
        assert not frame.image[bars].any()
        for polygon in (frame.oolemma, frame.pipette):
            if polygon is not None:
                assert np.all((polygon >= [left, top]) & (polygon <= [right, bottom]))


@pytest.mark.parametrize("video", range(30))
def test_polygons_are_simple_and_inside_the_frame(video: int) -> None:
    rendered = procedure(1, video, 128, HARD)
    deepest = int(np.argmax(rendered.timeline.indentation))
    for frame in (rendered.frame(0), rendered.frame(deepest), rendered.frame(rendered.n_frames - 1)):
        for polygon in (frame.oolemma, frame.pipette):
            if polygon is not None:
                assert np.all((polygon >= 0) & (polygon <= 128))
                assert crossings(polygon) == 0


def crossings(polygon: np.ndarray) -> int:
    """How many pairs of edges of a polygon properly cross."""
    a, b = polygon, np.roll(polygon, -1, axis=0)

    def side(point: np.ndarray) -> np.ndarray:
        """For every edge (row) on which side of it each point (column) lies."""
        (ax, ay), (bx, by) = a.T[:, :, None], b.T[:, :, None]
        return (bx - ax) * (point[:, 1] - ay) - (by - ay) * (point[:, 0] - ax)

    parted = side(a) * side(b) < -1e-6
    return int((parted & parted.T).sum())


def test_a_crossing_is_found() -> None:
    assert crossings(np.array([[0, 0], [2, 2], [2, 0], [0, 2]])) > 0
    assert crossings(np.array([[0, 0], [2, 0], [2, 2], [0, 2]])) == 0


def test_phases_follow_one_another_and_frames_add_up_to_the_published_number() -> None:
    lengths = [procedure(0, video, 64).n_frames for video in range(156)]
    assert sum(-(-length // 3) for length in lengths) == pytest.approx(7983, rel=0.02)
    phases = procedure(0, 0, 64).timeline.phase
    assert list(dict.fromkeys(phases)) == list(PHASES)


def test_the_membrane_springs_back_at_breakthrough() -> None:
    always = replace(IcsiRanges(), no_tools_share=0.0, no_tools_cleaving_share=0.0, hard_share=0.0)
    for video in range(20):
        depth = procedure(0, video, 64, always).timeline.indentation
        deepest = int(np.argmax(depth))
        assert depth[deepest] > 0.2
        assert depth[deepest + 8] < 0.25 * depth[deepest]  # about half a second later


def test_a_tip_under_a_burnt_in_text_is_not_visible() -> None:
    plain = replace(BENCH, jpeg_quality=(97, 97))
    video, same = procedure(0, 3, 256, replace(plain, caption_share=1.0), False), procedure(0, 3, 256, plain, False)
    covered = np.argwhere(video.frame(0).image != same.frame(0).image)[:, ::-1] + 0.5
    assert len(covered) > 50
    assert all(video.screen.captioned(place) for place in covered)
    assert not video.screen.captioned(np.array([128.0, 128.0]))


def test_debris_over_the_tip_hides_it_and_nothing_else_changes() -> None:
    clear = replace(BENCH, hard_share=0.0)
    hidden = 0
    for number in range(4):
        video, same = (procedure(3, number, 128, replace(clear, clump_share=share), False) for share in (1.0, 0.0))
        clump = video._clump
        assert clump is not None
        assert same._clump is None
        for index in range(0, video.n_frames, 12):
            frame, bare = video.frame(index), same.frame(index)
            over = bare.tip is not None and clump.hides(bare.tip, index)
            hidden += over
            assert (frame.tip is None) == (bare.tip is None or over)
            far = np.abs(frame.image.astype(int) - bare.image) > 2
            outline = clump.at(index)
            reach = 12 / video.um_per_px
            inside = np.argwhere(far)[:, ::-1]
            assert np.all((inside >= outline.min(axis=0) - reach) & (inside <= outline.max(axis=0) + reach))
    assert hidden > 2


def test_fragments_lie_inside_a_dividing_cell_and_leave_the_truth_alone() -> None:
    whole = replace(IcsiRanges(), cleaving_share=1.0, no_tools_cleaving_share=1.0)
    fallen = replace(whole, fragmented_share=1.0)
    for video in range(4):
        one, other = (procedure(0, video, 128, ranges, noise=False).frame(20) for ranges in (whole, fallen))
        assert np.array_equal(one.oolemma, other.oolemma)
        changed = np.argwhere(np.abs(one.image.astype(int) - other.image) > 2)[:, ::-1]
        reach = [cv2.pointPolygonTest(one.oolemma.astype(np.float32), (float(x), float(y)), True) for x, y in changed]
        assert len(reach) > 50
        assert min(reach) > -6  # px; light about an edge is blurred


def test_an_undivided_cell_has_no_fragments() -> None:
    fallen = replace(IcsiRanges(), cleaving_share=0.0, fragmented_share=1.0)
    one, other = (
        procedure(0, 1, 128, ranges, noise=False).frame(20)
        for ranges in (fallen, replace(fallen, fragmented_share=0.0))
    )
    assert np.array_equal(one.image, other.image)


def test_close_scenes_show_two_lobes_and_keep_the_tip_in_the_cell():
    """A cell pressed in beyond its middle is no longer convex: its hull is far larger. The tip never leaves it."""
    shares = []
    for video in range(12):
        rendered = procedure(3, video, 128, IcsiRanges(close_share=1.0))
        deepest = int(np.argmax(rendered.timeline.indentation))
        outline = rendered.scene_at(deepest).oolemma(rendered.timeline.indentation[deepest]).astype(np.float32)
        shares.append(cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline)))
        released = rendered.timeline.deepest
        cell = rendered.scene.oolemma(0.0).astype(np.float32)
        assert cv2.pointPolygonTest(cell, rendered.scene.tip_at(released).tolist(), False) > 0
    assert min(shares) < 0.75


def test_close_scenes_change_nothing_for_others():
    """A set without close scenes is drawn as if there were none to choose."""
    assert IcsiData().parameters() == {"videos": 156, "size": 512, "every": 3, "hard": 0.0}
    assert IcsiData(close=0.5).parameters()["close"] == 0.5
