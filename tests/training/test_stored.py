"""Stored tensors come back bit for bit or not at all."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from icsilib.training.stored import DamagedError, read_tensors, write_tensors

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "bf16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "column": torch.arange(6.0).reshape(2, 3)[:, 1],
}
ABOUT = {"settings": {"size": 512, "widths": [32, 64]}, "training": {"data": "drawn"}}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "w.safetensors"
    write_tensors(path, TENSORS, ABOUT)
    return path


def test_content_comes_back_with_its_types(written):
    tensors, about = read_tensors(written)
    assert about == ABOUT
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {n: t.dtype for n, t in TENSORS.items()}
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in tensors.items())


def test_the_same_content_gives_the_same_bytes(written, tmp_path):
    for number in range(5):
        write_tensors(tmp_path / f"{number}.safetensors", dict(reversed(TENSORS.items())), ABOUT)
        assert (tmp_path / f"{number}.safetensors").read_bytes() == written.read_bytes()


@settings(max_examples=200, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_byte_that_differs_is_never_read(written, tmp_path_factory, place, flip):
    content = bytearray(written.read_bytes())
    at = int(place * len(content))
    content[at] ^= flip
    damaged = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    damaged.write_bytes(content)
    try:
        tensors, about = read_tensors(damaged)
    except DamagedError:
        return
    # A space that pads the header may differ without any harm.
    assert about == ABOUT
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in tensors.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(tmp_path, value):
    write_tensors(tmp_path / "w.safetensors", {"a": torch.tensor([1.0, value])}, {})
    with pytest.raises(DamagedError, match="a holds a value that is not finite"):
        read_tensors(tmp_path / "w.safetensors")


def test_a_file_without_a_digest_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {"settings": "{}"})
    with pytest.raises(DamagedError, match="no file of this study"):
        read_tensors(tmp_path / "w.safetensors")
