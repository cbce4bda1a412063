"""The simulation behind the table of coverage, at reduced size, and what the committed table says."""

import pandas as pd
import pytest
from script_files import load_script

from icsilib.study.order import ROOT
from icsilib.study.provenance import read_results


@pytest.fixture(scope="module")
def tables():
    module = load_script("interval_coverage")
    return {name: pd.DataFrame(rows) for name, rows in module.simulate(30, seed=1).items()}


def committed():
    return read_results(ROOT / "book" / "reference" / "interval_coverage.json").tables


def test_the_committed_coverage_is_that_of_the_simulation(tables):
    kept = pd.DataFrame(committed()["intervals"])
    assert list(tables["intervals"]["figure"]) == list(kept["figure"])
    apart = (tables["intervals"]["coverage"] - kept["coverage"]).abs()
    assert apart.max() < 4 * (0.7 * 0.3 / 30) ** 0.5
    assert apart.mean() < 0.07


def test_tests_of_spread_are_no_larger_than_six_percent_where_the_f_test_is():
    sizes = pd.DataFrame(committed()["spread"])
    f_test = sizes["test"].str.startswith("F-test")
    assert sizes.loc[~f_test, "size"].max() <= 0.06
    assert sizes.loc[f_test & sizes["comparison"].str.contains("model"), "size"].min() > 0.4


def test_sizes_are_simulated_again(tables):
    sizes = tables["spread"].set_index(["comparison", "test"])["size"]
    assert sizes.xs("places traded frame by frame", level="test").mean() <= 0.12
    assert sizes.loc[("needle: model against people", "F-test over pairs")] > 0.5
