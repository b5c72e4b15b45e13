from __future__ import annotations

import pytest

from cedtag.errors import InputError
from cedtag.labels.table import audioset, find_labels
from cedtag.labels.thresholds import read_thresholds, thresholds_by_index

LABELS = audioset()


def thresholds(*specs: str, default: float = 0.1) -> dict[str, float]:
    """The threshold of most classes as "", and those of single ones by name."""
    usual, by_name = read_thresholds(specs, "threshold")
    by_index = thresholds_by_index(by_name, LABELS)
    return {"": default if usual is None else usual} | {
        LABELS[int(index)].name: value for index, value in by_index.items()
    }


def test_the_default_counts_where_nothing_is_said():
    assert thresholds() == {"": 0.1}
    assert thresholds("0.2") == {"": 0.2}
    assert thresholds("0.2", "0.3") == {"": 0.3}


def test_a_class_is_named_by_name_mid_or_index_in_any_case():
    wanted = {"": 0.1, "Speech": 0.6}
    assert thresholds("Speech=0.6") == thresholds("sPEECH=0.6") == thresholds("/m/09x0r=0.6") == wanted
    assert thresholds("0=0.6") == wanted


def test_a_class_keeps_its_own_threshold_and_the_last_word_counts():
    assert thresholds("Speech=0.6", "0.2") == thresholds("0.2", "Speech=0.6") == {"": 0.2, "Speech": 0.6}
    assert thresholds("Speech=0.6", "Speech=0.7") == {"": 0.1, "Speech": 0.7}


def test_names_with_commas_and_signs_are_names():
    assert thresholds("Domestic animals, pets=0") == {"": 0.1, "Domestic animals, pets": 0}


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_file_has_one_for_each_label_or_mid(tmp_path, bom):
    path = tmp_path / "thresholds.csv"
    path.write_text(bom + 'label,threshold,f1\n"Domestic animals, pets",0.4,0.9\nSpeech,0.6,0.8\n', encoding="utf-8")
    assert thresholds(f"@{path}", "Speech=0.7") == {"": 0.1, "Domestic animals, pets": 0.4, "Speech": 0.7}
    path.write_text("index,mid,label,threshold\n0,/m/09x0r,an old name,0.6\n1,,Dog,0.5\n")
    assert thresholds(f"@{path}") == {"": 0.1, "Speech": 0.6, "Dog": 0.5}


def test_the_later_of_two_names_of_one_class_counts():
    assert thresholds("Speech=0.6", "/m/09x0r=0.7", "Speech=0.8") == {"": 0.1, "Speech": 0.8}
    assert thresholds("Speech=0.8", "/m/09x0r=0.7") == {"": 0.1, "Speech": 0.7}


def test_an_index_is_taken_as_it_is():
    assert thresholds_by_index({0: 0.5, "Dog": 0.3}, LABELS) == {0: 0.5, find_labels("Dog", LABELS)[0].index: 0.3}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("2", "`threshold` 2: a threshold is a number from 0 to 1, not '2'"),
        ("nan", "`threshold` nan: a threshold is a number from 0 to 1, not 'nan'"),
        ("Speech=", "`threshold` Speech=: a threshold is a number from 0 to 1, not ''"),
        ("Speech=-0.1", "`threshold` Speech=-0.1: a threshold is a number from 0 to 1, not '-0.1'"),
        ("Speach=0.1", "no label is called 'Speach'; did you mean 'Speech'?"),
        ("=0.1", "a label is empty; give a name, a MID or an index"),
        ("@none.csv", "none.csv: cannot read thresholds ([Errno 2] No such file or directory: 'none.csv')"),
    ],
)
def test_what_is_no_threshold_is_an_error_that_names_it(spec, said):
    with pytest.raises(InputError) as error:
        thresholds(spec)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label,score\nSpeech,0.6\n", "line 2 needs the columns label (or mid) and threshold"),
        ("label,threshold\nDog,0.1\nSpeech\n", "line 3 needs the columns label (or mid) and threshold"),
        ("label,threshold\nSpeech,high\n", "line 2: a threshold is a number from 0 to 1, not 'high'"),
        ("label,threshold\nSpeach,0.1\n", "did you mean 'Speech'?"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, text, said):
    path = tmp_path / "thresholds.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        thresholds(f"@{path}")
    assert said in str(error.value)
