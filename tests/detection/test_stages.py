import torch
from test_train import SMALL, write_images

from icsilib.detection.settings import PROFILES, Settings, stages
from icsilib.detection.train import train, train_stages
from icsilib.training.weights import read_weights

FIRST = SMALL.with_(profile="first", steps=2, validate_every=2)
SECOND = FIRST.with_(profile="second", after="first", initialisation="shipped", learning_rate=0.0)


def test_a_stage_begins_with_the_best_weights_of_the_one_before(tmp_path):
    images = write_images(tmp_path)
    trained = train_stages([FIRST, SECOND], images, images[:1], tmp_path / "run")
    alone = train(images, images[:1], FIRST, tmp_path / "alone")
    assert trained.initialisation == "first"
    one, other = (dict(read_weights(run.weights, Settings)[0].named_parameters()) for run in (trained, alone))
    assert all(torch.equal(one[name], other[name]) for name in one)  # the second stage's rate is 0
    assert (tmp_path / "run" / "first" / "weights.safetensors").read_bytes() == alone.weights.read_bytes()


def test_finished_stages_are_not_repeated(tmp_path):
    images = write_images(tmp_path)
    train_stages([FIRST, SECOND], images, images[:1], tmp_path / "run")
    first = tmp_path / "run" / "first" / "checkpoint.safetensors"
    written = first.stat().st_mtime_ns
    train_stages([FIRST, SECOND], images, images[:1], tmp_path / "run")
    assert first.stat().st_mtime_ns == written


def test_the_reference_run_goes_from_imagenet_to_its_last_stage():
    names = [settings.profile for settings in stages("standard")]
    assert names == ["standard-crowd", "standard-threads", "standard-long", "standard"]
    first, *others = stages("standard")
    assert first.initialisation == "imagenet"
    assert all(one.initialisation == "shipped" for one in others)
    assert [PROFILES[name].after for name in names] == [None, *names[:-1]]
