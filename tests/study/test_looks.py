import shutil
import subprocess

import pytest

from icsilib.study.looks import ROOT, ScoredSet, Scoring, looks_table, read_looks

ONCE = Scoring(date="2026-11-27", what="a model")


@pytest.mark.parametrize(
    ("registered", "scorings", "role"),
    [("abc", [], "test"), ("abc", [ONCE], "test"), ("abc", [ONCE, ONCE], "development"), (None, [], "development")],
)
def test_a_set_is_a_test_while_registered_and_scored_at_most_once(registered, scorings, role):
    assert ScoredSet(paper="A", what="videos", registered=registered, scorings=scorings).role == role


def test_table_counts_scorings_and_names_the_last():
    later = Scoring(date="2026-11-28", what="another model")
    (row,) = looks_table({"x": ScoredSet(paper="B", what="patients", scorings=[later, ONCE])})
    assert (row["times scored"], row["last"]) == (2, "2026-11-28")
    (row,) = looks_table({"x": ScoredSet(paper="B", what="patients")})
    assert (row["times scored"], row["last"]) == (0, "never")


@pytest.mark.skipif(not shutil.which("git") or not (ROOT / ".git").exists(), reason="needs the history of the study")
def test_every_named_revision_is_in_the_history():
    revisions = [s.revision for each in read_looks().values() for s in each.scorings if s.revision]
    shallow = ["git", "rev-parse", "--is-shallow-repository"]
    if subprocess.run(shallow, cwd=ROOT, capture_output=True, text=True).stdout.strip() == "true":
        pytest.skip("the clone is shallow")
    for revision in revisions:
        assert subprocess.run(["git", "cat-file", "-e", f"{revision}^{{commit}}"], cwd=ROOT).returncode == 0, revision


def test_the_videos_that_the_second_look_was_made_with_are_no_test_set():
    assert len(read_looks()["paper-a-test-videos"].scorings) >= 16
    assert read_looks()["paper-a-test-videos"].role == "development"
