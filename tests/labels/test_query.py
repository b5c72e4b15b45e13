from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.query import DEEPEST, parse_condition
from cedtag.labels.table import audioset, find_labels


def classes_of(name: str) -> list[int]:
    return [label.index for label in find_labels(name, audioset())]


def holds(text: str, **scores: float) -> bool:
    by_index = defaultdict(float, {classes_of(name.replace("_", " "))[0]: score for name, score in scores.items()})
    return bool(parse_condition(text, classes_of)(by_index))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Siren > 0.3", True),
        ("Siren > 0.5", False),
        ("Siren >= .5", True),
        ("Siren < 0.5", False),
        ("Siren <= 0.5 and Siren == 0.5 and Siren != 0.4", True),
        ("Siren > 0.3 and not Music > 0.5", True),
        ("not (Siren > 0.3 or Music > 0.5)", False),
        ("Music > 0.1 and Siren > 0.9 or Siren > 0.3", True),
        ("Music > 0.1 and (Siren > 0.9 or Siren > 0.3)", True),
        ("Music > 0.9 and (Siren > 0.9 or Siren > 0.3)", False),
        ("Siren > 0.9 or Siren > 0.3 and Music > 0.1", True),
        ("not not Siren>0.3", True),
        ("Rain <= 0", True),
        ("NOT siren > 0.6 AnD music > 0.1", True),
        ("/m/03kmc9 > 0.3", True),
        (f"{classes_of('Siren')[0]} > 0.3", True),
        ("'Siren' > 0.3", True),
        ('"Fire engine, fire truck (siren)" > 0.3', False),
        ("Dog < 0.1 and Boat,  Water vehicle < 1", True),
        ("'Drum and bass' > 0.1", False),
        ("'Dental drill, dentist''s drill' < 0.1", True),
        ("Dental drill, dentist's drill < 0.1", True),
    ],
)
def test_conditions_mean_what_they_say(text, expected):
    assert holds(text, Siren=0.5, Music=0.2) is expected


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "a label is missing"),
        ("   ", 4, "a label is missing"),
        ("Siren", 6, "a comparison such as > 0.3 is missing"),
        ("Siren = 0.3", 7, "a comparison such as > 0.3 is missing"),
        ("Siren > ", 9, "a number from 0 to 1 is missing"),
        ("Siren > 1.1", 9, "a number from 0 to 1 is missing"),
        ("Siren > nan", 9, "a number from 0 to 1 is missing"),
        ("Siren > Music", 9, "a number from 0 to 1 is missing"),
        ("Siren > 0.3 Music > 0.1", 13, "only 'and' or 'or' can follow a condition"),
        ("Siren > 0.3)", 12, "only 'and' or 'or' can follow a condition"),
        ("(Siren > 0.3", 13, "a ) is missing"),
        ("Siren > 0.3 and", 16, "a label is missing"),
        ("and Siren > 0.3", 1, "a label is missing"),
        ("Music > 0.1 or Sirenn > 0.3", 16, "did you mean 'Siren'?"),
        ("Drum and bass > 0.1", 6, "a comparison such as > 0.3 is missing"),
        ("Siren > 0.3 and 'Music > 1", 16, "a quote is not closed"),
        ("__import__('os')", 1, "no label is called '__import__'"),
        ("(" * 9999, DEEPEST + 2, "conditions stand in one another"),
        ("not " * 9999, 4 * (DEEPEST + 1) + 1, "conditions stand in one another"),
    ],
)
def test_errors_point_at_the_column(text, column, what):
    with pytest.raises(InputError) as error:
        parse_condition(text, classes_of)
    assert f", column {column} " in str(error.value)
    assert what in str(error.value)


@given(st.text("()<>=!'\"andortSiren 0.3", max_size=30))
def test_any_text_is_a_condition_or_an_input_error(text):
    with suppress(InputError):
        assert parse_condition(text, classes_of)(defaultdict(float)) in (True, False)


@given(st.sampled_from(audioset()))
def test_every_label_can_be_named_in_quotes(label):
    for quote in "'\"":
        name = label.name.replace(quote, quote * 2)
        condition = parse_condition(f"{quote}{name}{quote} >= 0.5", classes_of)
        assert condition(defaultdict(float, {label.index: 0.5}))
        assert not condition(defaultdict(float))


def test_the_best_of_several_classes_counts():
    condition = parse_condition("any > 0.5", lambda name: (1, 2))
    assert condition([0.9, 0.4, 0.6])
    assert not condition([0.9, 0.4, 0.5])
