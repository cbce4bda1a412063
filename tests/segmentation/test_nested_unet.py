import pytest
import torch

from icsilib.segmentation.nested_unet import READINGS, NestedUNet, node_shapes, parameter_count, reading_table

PUBLISHED_PARAMETERS = 2.6e6  # paper A, §3.2


def test_chosen_reading_has_the_published_number_of_parameters():
    assert parameter_count(NestedUNet()) == 2_622_691
    assert round(parameter_count(NestedUNet()), -5) == PUBLISHED_PARAMETERS


def test_alternative_readings_have_the_sizes_counted_for_them():
    millions = {row["reading"]: row["parameters"] / 1e6 for row in reading_table() if row["skips"] == "nested"}
    assert millions == pytest.approx(
        {"decoder": 2.62, "every node": 2.73, "bilinear": 2.23, "up-convolution": 2.48, "residual": 2.59}, abs=5e-3
    )


def test_shapes_of_section_2_2_at_512_px():
    model = NestedUNet().to("meta")  # where shapes are worked out and nothing is computed
    output = model(torch.empty(2, 1, 512, 512, device="meta"))
    shapes = node_shapes(model)
    assert shapes[3, 0] == (256, 64)  # the 64×64×256 bottleneck
    assert output.y_seg.shape == (2, 2, 512, 512)
    assert output.heatmap.shape == (2, 64, 64)
    assert output.y_coords.shape == (2, 2)
    assert [shapes[2, 1], shapes[1, 2], shapes[0, 3]] == [(128, 128), (64, 256), (32, 512)]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("nested", [True, False])
def test_outputs_lie_in_their_ranges_and_every_parameter_learns(reading, nested):
    torch.manual_seed(0)
    model = NestedUNet((4, 6, 8), size=16, reading=reading, nested=nested, heatmap_level=1)
    output = model(torch.randn(3, 1, 16, 16))
    assert output.y_seg.min() >= 0
    assert output.y_seg.max() <= 1
    torch.testing.assert_close(output.heatmap.sum(dim=(1, 2)), torch.ones(3))
    assert output.y_coords.abs().max() < 1
    (output.y_seg.square().sum() + output.heatmap.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_each_node_sees_every_earlier_node_of_its_level():
    model = NestedUNet((2, 4, 8, 16))
    assert model.decoder_nodes() == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (0, 3)]
    assert model.skips(0, 3) == [(0, 0), (0, 1), (0, 2)]
    plain = NestedUNet((2, 4, 8, 16), nested=False)
    assert plain.decoder_nodes() == [(2, 1), (1, 2), (0, 3)]
    assert plain.skips(0, 3) == [(0, 0)]


def test_heatmap_keeps_64_cells_where_a_smaller_input_takes_it_from_a_finer_level():
    with torch.device("meta"):
        output = NestedUNet((4, 8, 16, 32), size=128, heatmap_level=1)(torch.empty(1, 1, 128, 128))
    assert output.heatmap.shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 100}, "size=100: must be a multiple of 8"),
        ({"reading": "mine"}, "reading='mine': unknown; choose one of decoder"),
        ({"widths": (32,)}, "needs two or more"),
        ({"heatmap_level": 4}, "heatmap_level=4: must lie from 0 to 3"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        NestedUNet(**settings)
