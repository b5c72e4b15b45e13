"""Scores of a model and scores in results come beside the right truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cedtag.errors import InputError
from cedtag.evaluation.recipe import clip_work
from cedtag.evaluation.scores import recording_finder, score_examples, scores_of_results, truth_matrix
from cedtag.inputs.manifest import Example
from cedtag.inputs.segments import segmented
from cedtag.labels.table import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.records import Window

TSV = "x/a.wav\t0.000\t10.000\t1\t23\t/t/dd00002\tBaby cry, infant cry\t0.9000\n"
HEADER = "file,start,end,rank,index,mid,label,score\n"


class Loudness:
    """A scorer of two classes: how loud a window is, and how long it is in seconds of ten."""

    labels = (Label(0, "", "loud"), Label(1, "", "long"))
    shortest_window = 2560
    settings: Mapping[str, object] = MappingProxyType({})

    def prepare_thread(self) -> None:
        pass

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        return np.array([[abs(w.samples).max(), len(w.samples) / 160_000] for w in windows], np.float32)


def rows(tmp_path: Path, text: str, name: str = "rows.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def clips(*names: str) -> list[Example]:
    return [Example(f"/data/{name}", name, ("Rain",)) for name in names]


def test_the_highest_window_of_a_clip_counts(tmp_path: Path) -> None:
    samples = np.zeros(240_000, np.float32)
    samples[200_000] = 0.5
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    path = str(tmp_path / "a.wav")
    examples = [Example(path, "a.wav", ("loud",)), Example(path, "a.wav", ("Long",), start=0, stop=80_000)]
    with ThreadPoolExecutor(1) as pool:
        outcomes = clip_work(Loudness(), 160_000, pool).outcomes(segmented(examples))  # type: ignore[arg-type]
        predictions = score_examples(examples, Loudness().labels, outcomes, skip_unknown=False)
    assert predictions.classes == ("loud", "long")
    assert predictions.truth.tolist() == [[1, 0], [0, 1]]
    assert predictions.scores.tolist() == [[0.5, 1.0], [0.0, 0.5]]


def test_labels_that_no_class_has_are_an_error_or_a_note() -> None:
    examples = [Example("", "a", ("Rain", "Owl")), Example("", "b", ("owl",))]
    with pytest.raises(InputError, match=r"labels that the model has not \(1 of them\): .*`skip_unknown`"):
        truth_matrix([examples[0]], ["Rain"], skip_unknown=False)
    truth, notes = truth_matrix(examples, ["Rain"], skip_unknown=True)
    assert truth.tolist() == [[1], [0]]
    assert notes == (
        "Owl: left out, the model has no such class (1 clips)",
        "owl: left out, the model has no such class (1 clips)",
    )
    with pytest.raises(InputError, match="3 of them"):
        truth_matrix(examples, ["Fish"], skip_unknown=True)


JSON = (
    '{"file": "x/a.wav", "start": 0.0, "end": 10.0, "tags": [{"index": 23, "mid": "/t/dd00002", '
    '"label": "Baby cry, infant cry", "score": 0.9}]}\n'
)
END = '"status": "ok", "duration": 10.0, "problems": [], "warnings": []'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", HEADER + 'x/a.wav,0.000,10.000,1,23,/t/dd00002,"Baby cry, infant cry",0.9000\n'),
        ("wide.csv", 'file,start,end,"Baby cry, infant cry"\nx/a.wav,0.000,10.000,0.9000\n'),
        ("rows.tsv", HEADER.replace(",", "\t") + TSV),
        ("rows", HEADER.replace(",", "\t") + TSV),
        ("rows.txt", JSON),
        (
            "rows.json",
            '{"schema": "cedtag/1", "settings": {}, "recordings": [{"file": "x/a.wav", '
            f'{END}, "windows": [{JSON.strip()}]}}]}}',
        ),
    ],
)
def test_results_of_every_format_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    cry = Example("/data/a.wav", "a.wav", ("Baby cry, infant cry",))
    predictions = scores_of_results([cry], tmp_path / name)
    assert predictions.classes == cry.labels
    assert predictions.scores.tolist() == [[0.9]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "line 1: this is no header of cedtag's rows"),
        (HEADER + "a.wav,x,1,1,0,,Rain,0.5\n", "line 2: could not convert string to float: 'x'"),
        (HEADER + "a.wav,1\n", "line 2: 2 fields where the header has 8"),
        (HEADER.replace("rank,", "").replace("score", "peak,mean") + "a,0,1,0,,Rain,0.5,0.5\n", "holds events"),
        (HEADER, "no row is about a clip of the data"),
    ],
)
def test_results_without_scores_are_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        scores_of_results(clips("a.wav"), rows(tmp_path, text))
    with pytest.raises(InputError, match="none: cannot be read"):
        scores_of_results(clips("a.wav"), tmp_path / "none")


def test_windows_go_to_the_examples_that_they_overlap_by_half(tmp_path: Path) -> None:
    examples = [
        Example("/data/a.wav", "a.wav", ("Rain",), 0, 160_000),
        Example("/data/a.wav", "a.wav", ("Wind",), 160_000, 320_000),
    ]
    lines = [
        "a.wav,0,10,1,0,,Rain,0.7",
        "a.wav,4,14,1,0,,Rain,0.8",
        "a.wav,4.5,14.5,1,0,,Rain,0.5",
        "a.wav,6,16,1,0,,Wind,0.4",
        "a.wav,11,12,1,0,,Wind,0.6",
    ]
    predictions = scores_of_results(examples, rows(tmp_path, HEADER + "\n".join(lines) + "\n"))
    assert predictions.classes == ("Rain", "Wind")
    assert predictions.truth.tolist() == [[1, 0], [0, 1]]
    assert predictions.scores.tolist() == [[0.8, 0.0], [0.0, 0.6]]
    assert predictions.notes == ("50% of the scores were not written and count as 0; tag with -k 0 -t 0 for all",)


def test_clips_without_rows_and_labels_without_rows_are_noted(tmp_path: Path) -> None:
    examples = [*clips("a.wav", "b.wav"), Example("/data/c.wav", "c.wav", ("Wind",))]
    predictions = scores_of_results(examples, rows(tmp_path, HEADER + "a.wav,0,10,1,0,,Rain,0.7\n"))
    assert predictions.scores.tolist() == [[0.7, 0], [0, 0], [0, 0]]
    assert predictions.notes[:2] == ("Wind: no row has this label", "2 of 3 clips have no row")
    with pytest.raises(InputError, match="no row is about a clip of the data"):
        scores_of_results(examples, rows(tmp_path, HEADER + "z.wav,0,10,1,0,,Rain,0.7\n"))


def test_a_recording_may_be_named_from_another_folder_but_not_by_a_shared_end() -> None:
    find = recording_finder(clips("dog/1.wav", "dog/2.wav", "cat/2.wav"))
    assert find("dog/1.wav") == find("1.wav") == find("/data/dog/1.wav") == find("elsewhere/dog/1.wav") == [0]
    assert find("dog/2.wav") == [1]
    assert find("2.wav") == []
    assert find("other/1.wav") == []


def test_a_segment_of_audioset_is_found_by_its_youtube_name() -> None:
    find = recording_finder([Example("", "--4gqARaEJE", ("Rain",)), Example("", "-0abcdefghi", ("Rain",))])
    assert find("eval/Y--4gqARaEJE.wav") == [0]
    assert find("-0abcdefghi_30000.flac") == [1]
    assert find("-1abcdefghi.wav") == []
