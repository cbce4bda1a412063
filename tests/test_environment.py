"""The two ways to set the study up install the same pinned packages."""

import re

import yaml

from icsilib.study.order import ROOT


def test_conda_installs_what_the_makefile_installs() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.txt", "-e ."]
    assert "python=3.11" in environment["dependencies"]


def test_every_package_is_pinned_exactly_and_without_a_local_suffix() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in packages if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    names = [line.split("==")[0].lower() for line in packages]
    assert len(names) == len(set(names))
    assert "opencv-python" not in names  # two OpenCV wheels share one folder and break each other
