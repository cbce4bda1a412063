import csv

import pytest

from icsilib.training.checkpoints import CheckpointError
from icsilib.training.runs import RunFolder, differences, epoch_order, generator, learning_rate, write_rows


def test_order_depends_on_seed_and_epoch_only():
    assert sorted(epoch_order(0, 1, 50)) == list(range(50))
    assert epoch_order(0, 1, 50) == epoch_order(0, 1, 50)
    assert epoch_order(0, 1, 50) != epoch_order(0, 2, 50)
    assert generator(1, 2).random() != generator(2, 1).random()


def test_rows_become_csv_with_every_column(tmp_path):
    write_rows(tmp_path / "log.csv", [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25, "ap": 0.9}])
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"step": "1", "loss": "0.5", "ap": ""}
    assert rows[1]["ap"] == "0.9"


def test_learning_rate_rises_then_falls_along_a_cosine():
    rates = [learning_rate(step, 14, peak=0.4, warm_up=4, cosine=True) for step in range(14)]
    assert rates[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates[4] == pytest.approx(0.4)
    assert rates[9] == pytest.approx(0.2)
    assert 0 < rates[13] < 0.02
    late = [learning_rate(step, 104, peak=1.0, warm_up=4, cosine=True) for step in (0, 3, 4, 54, 103)]
    assert late == pytest.approx([0.25, 1, 1, 0.5, 0], abs=1e-3)


def test_a_constant_rate_stays():
    assert {learning_rate(step, 10, peak=0.004, warm_up=0, cosine=False) for step in range(10)} == {0.004}


def test_a_folder_gives_its_own_run_back_and_refuses_another(tmp_path):
    folder = RunFolder(tmp_path, {"seed": 0, "settings": {"size": 32}})
    assert folder.saved() is None
    folder.save({"step": 3}, [{"loss": 1.0}])
    assert folder.saved() == {"seed": 0, "settings": {"size": 32}, "step": 3}
    with pytest.raises(
        CheckpointError, match=r"checkpoint\.safetensors: is of a run with other seed, settings; choose"
    ):
        RunFolder(tmp_path, {"seed": 1, "settings": {"size": 48}}).saved()


def test_what_a_file_does_not_say_does_not_differ():
    assert differences({"seed": 1}, {"seed": 1, "devices": 2}) == []
