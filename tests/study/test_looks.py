import shutil
import subprocess

import pytest

from icsilib.study.looks import ROOT, ScoredSet, Scoring, looks_table, read_looks, read_registrations, trained_on

ONCE = Scoring(date="2026-11-27", what="a model")


DAY = "2026-12-01"


@pytest.mark.parametrize(
    ("registered", "scorings", "role"),
    [(DAY, [], "test"), (DAY, [ONCE], "test"), (DAY, [ONCE, ONCE], "development"), (None, [], "development")],
)
def test_a_set_is_a_test_while_registered_and_scored_at_most_once(registered, scorings, role):
    assert ScoredSet(paper="A", what="videos", registered=registered, scorings=scorings).role == role


def history(words: list[str]) -> list[str]:
    """Lines that git gives; none without a whole history of the study."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return []
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True)
    if shallow.stdout.strip() == "true":
        return []
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.split()


def test_table_counts_scorings_and_names_the_last():
    later = Scoring(date="2026-11-28", what="another model")
    (row,) = looks_table({"x": ScoredSet(paper="B", what="patients", scorings=[later, ONCE])})
    assert (row["times scored"], row["last"]) == (2, "2026-11-28")
    (row,) = looks_table({"x": ScoredSet(paper="B", what="patients")})
    assert (row["times scored"], row["last"]) == (0, "never")


def test_every_named_revision_is_in_the_history():
    if not history(["log", "-1"]):
        pytest.skip("needs the whole history of the study")
    for revision in (s.revision for each in read_looks().values() for s in each.scorings if s.revision):
        assert history(["rev-parse", "--verify", f"{revision}^{{commit}}"]), revision


def test_registered_sets_come_first_and_take_their_scorings_from_the_other_file(tmp_path):
    looks = tmp_path / "looks.yaml"
    looks.write_text("old: {paper: B, what: patients}\nregistered-videos: {scorings: [{date: 2026-12-02, what: x}]}\n")
    name, one = next(iter(read_looks(looks).items()))
    assert (name, one.role, len(one.scorings)) == ("registered-videos", "test", 1)


def test_registered_sets_are_scored_at_most_once():
    scorings = {name: len(read_looks()[name].scorings) for name in read_registrations()}
    assert set(scorings.values()) <= {0, 1}, scorings


@pytest.mark.parametrize("name", list(read_registrations()))
def test_a_registered_set_was_named_before_its_scores_were_written(name):
    if not history(["log", "-1"]):
        pytest.skip("needs the whole history of the study")
    digest = read_registrations()[name].annotations_sha256
    named = history(["log", "--format=%H", "--reverse", "-S", digest, "--", "book/registered.yaml"])
    scored = history(["log", "--format=%H", "--reverse", "--", f"book/reference/{name}.json"])
    if not scored:
        pytest.skip("not scored yet")
    assert named[0] != scored[0]
    assert named[0] in history(["rev-list", scored[0]])


def test_trainings_are_counted_once_each_however_often_they_are_named():
    chain = {"data": "--videos 20 --seed 1", "after": {"data": "--videos 20 --seed 1, --patients 5 --seed 2"}}
    assert trained_on(chain) == 25


def test_the_videos_that_the_second_look_was_made_with_are_no_test_set():
    assert len(read_looks()["paper-a-test-videos"].scorings) >= 16
    assert read_looks()["paper-a-test-videos"].role == "development"
