"""The sets of repeated labels that the chapter on annotator variation can read: simulated, BU-BIL, your own."""

from pathlib import Path

from icsilib.data import bu_bil
from icsilib.data.manifest import fetch
from icsilib.data.structures import OF_INJECTIONS, OUTLINES
from icsilib.phantoms.people.annotators import annotator_team
from icsilib.phantoms.people.labelling import label_study, study_frames
from icsilib.study.own_labels import own_labels, read_people
from icsilib.study.people import RepeatedLabels

_ABOUT_SIMULATED = """
**These data are simulated.** Five simulated people (`icsilib.phantoms.people.annotators`) labelled 14 frames of 14
rendered ICSI procedures (`icsilib.phantoms.icsi`, 512 × 512 px) five times each: oolemma, suction pipette, needle tip.
The population from which they come was *fitted* to the paper's Table 1, so that this chapter can show what such a
table hides. That their table looks like the paper's is therefore no finding about people; what the analysis does with
it is the subject.
"""
_DRAWN = """
People, frames and errors are drawn independently, as in a study that is done once: another seed gives another table.
"""
_MATCHED = """
People, frames and errors are **moment-matched**: their spread is set to what is expected, so that every seed gives
nearly the paper's table. That suits a figure for teaching. It is no study: its intervals and tests mean nothing.
"""
_ABOUT_BU_BIL = """
**These are real labels of real people**, but not of oocytes: BU-BIL set 1, 35 phase-contrast photographs of rat
smooth-muscle cells, each outlined by five biologists and engineers with two programs, Amira and
ImageJ. The two programs stand in for the paper's rounds: an "intra-annotator" pair here is one person's outline of
one cell *repeated with another tool*, which is more than repeating it two hours later with the same one. And one of
the five repeated nothing: the files of Person2 are the same under both tools, so Person2 has no intra pairs here.
"""
_CAUTION_SIMULATED = """
The two columns agree as far as they do because the population was fitted to the published one, on other seeds than
this run's. What is worth reading is the next column, the interval.
"""
_CAUTION_BU_BIL = """
The published column is the paper's oolemma; the cells here are other cells, larger in the image, less round and with
fainter edges, and the people were other people. The rows are set side by side for their shape, not for their level.
"""


def read_labels(dataset: str, seed: int) -> RepeatedLabels:
    """The labels of `dataset`: "simulated", "simulated-matched", "bu-bil", or a file with several people's.

    `seed` is for simulated ones.
    """
    if dataset in ("simulated", "simulated-matched"):
        return simulated_labels(seed, matched=dataset.endswith("matched"))
    if dataset == "bu-bil":
        return bu_bil_labels(fetch("bu-bil"))
    if Path(dataset).is_file():
        labels = own_labels(read_people([Path(dataset)])[0], Path(dataset).parent)
        if len(labels.people) < 3 or len(labels.rounds) < 2:
            raise ValueError(
                f"{dataset}: {len(labels.people)} people labelled {len(labels.rounds)} rounds in common; "
                "this chapter needs three people and two rounds, `icsi agree outlines` works with fewer"
            )
        return labels
    raise ValueError(
        f'dataset is {dataset!r}; it must be "simulated", "simulated-matched", "bu-bil" or a file of annotations'
    )


def simulated_labels(seed: int, matched: bool = False) -> RepeatedLabels:
    """Five simulated people, five rounds, fourteen rendered frames of 512 × 512 px; `matched` as in `label_study`."""
    frames, team = study_frames(seed), annotator_team(seed, matched=matched)
    study = label_study(frames, team, rounds=5, seed=seed, matched=matched)
    return RepeatedLabels(
        name="simulated",
        about=_ABOUT_SIMULATED + (_MATCHED if matched else _DRAWN),
        caution=_CAUTION_SIMULATED,
        people=study.annotators,
        rounds=tuple(f"round {number}" for number in range(1, 6)),
        frames=tuple(f"frame {number}" for number in range(1, len(frames) + 1)),
        masks={each.name: study.masks(each.name) for each in OUTLINES},
        points={"needle": study.tips},
        image=frames[0].image,
        shown=0,
        published_as={each.name: each.name for each in OF_INJECTIONS},
    )


def bu_bil_labels(folder: Path | str) -> RepeatedLabels:
    """BU-BIL set 1 under `folder`: five people, two tools in place of rounds, 35 photographs of cells."""
    data = bu_bil.load(folder)
    shown = data.frames.index("B07")
    return RepeatedLabels(
        name="BU-BIL",
        about=_ABOUT_BU_BIL,
        caution=_CAUTION_BU_BIL,
        people=data.people,
        rounds=data.tools,
        frames=data.frames,
        masks={"cell": data.masks},
        points={},
        image=bu_bil.read_image(folder, data.frames[shown]),
        shown=shown,
        published_as={"cell": "oolemma"},
        not_repeated=bu_bil.copied(data),
    )
