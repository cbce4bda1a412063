import pytest
import torch
from safetensors.torch import save_file

from icsilib.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint


def test_a_run_state_comes_back_bit_for_bit(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.RMSprop(model.parameters(), momentum=0.9)
    model(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 7, "rows": [{"loss": 0.1}]}
    save_checkpoint(tmp_path / "last.safetensors", state)
    back = load_checkpoint(tmp_path / "last.safetensors")
    assert back["step"] == 7
    assert back["rows"] == [{"loss": 0.1}]
    for name, tensor in model.state_dict().items():
        assert torch.equal(back["model"][name], tensor)
    for number, moments in optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            assert torch.equal(back["optimizer"]["state"][number][name], tensor)
    optimizer.load_state_dict(back["optimizer"])


def test_shared_and_sliced_tensors_are_kept(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    save_checkpoint(tmp_path / "a.safetensors", {"whole": whole, "again": whole, "column": whole[:, 1]})
    assert load_checkpoint(tmp_path / "a.safetensors")["column"].tolist() == [1, 4]


@pytest.mark.parametrize("content", ["not a tensor file", None])
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    if content is None:
        save_file({"a": torch.zeros(1)}, path)
    else:
        path.write_text(content)
    with pytest.raises(CheckpointError, match=r"foreign\.safetensors: not a checkpoint"):
        load_checkpoint(path)
