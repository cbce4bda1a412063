from icsilib.study.order import chapters, reading_order


def test_every_notebook_comes_after_those_whose_results_it_reads() -> None:
    position = {path: number for number, path in enumerate(reading_order())}
    known = chapters()
    for chapter in known.values():
        for earlier in chapter.after:
            assert position[known[earlier].source] <= position[chapter.source]


def test_what_rests_on_training_is_told_from_what_does_not() -> None:
    kinds = {path.stem: kind for path, kind in reading_order().items()}
    assert kinds["annotator_variation"] == "none"
    assert kinds["segmentation_training"] == "own"
    assert kinds["segmentation_evaluation"] == kinds["claims"] == "earlier"
