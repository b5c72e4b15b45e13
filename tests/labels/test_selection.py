from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.groups import members_of, ontology, roll_up
from cedtag.labels.selection import selector_of
from cedtag.labels.table import audioset, find_labels, labels_of
from cedtag.labels.tag_filter import TagFilter
from cedtag.records import ScoredWindow, Source

LABELS = labels_of({label.index: label.name for label in audioset()})
SOURCE = Source("a.wav", "a.wav", "a.wav")
ALL = {"threshold": 0.0, "top_k": 0}


def index(name: str) -> int:
    return find_labels(name, LABELS)[0].index


def heard(scores: dict[str, float], rest: float = 0.0) -> ScoredWindow:
    probabilities = np.full(527, rest, np.float32)
    for name, score in scores.items():
        probabilities[index(name)] = score
    return ScoredWindow(SOURCE, 0, 0, 160_000, probabilities)


def shown(scores: dict[str, float], **wanted) -> list[tuple[str, float]]:
    return [(tag.label, tag.score) for tag in selector_of(LABELS, TagFilter(**wanted))(heard(scores)).tags]


SOUNDS = {"Siren": 0.4, "Vehicle": 0.5, "Ambulance (siren)": 0.6, "Speech": 0.3, "Car alarm": 0.2, "Dog": 0.12}


def test_the_best_tags_from_the_threshold_on_are_shown():
    assert shown(SOUNDS) == [
        ("Ambulance (siren)", 0.6),
        ("Vehicle", 0.5),
        ("Siren", 0.4),
        ("Speech", 0.3),
        ("Car alarm", 0.2),
    ]
    assert shown(SOUNDS, top_k=0)[5:] == [("Dog", 0.12)]
    assert shown(SOUNDS, top_k=1, threshold=0.7) == []


def test_the_number_that_is_shown_is_the_number_that_decided():
    assert shown({"Dog": 0.29996}, threshold=0.3) == [("Dog", 0.3)]
    assert shown({"Dog": 0.29994}, threshold=0.3) == []


def test_equal_scores_stand_in_the_order_of_the_classes():
    tags = selector_of(LABELS, TagFilter(**ALL))(heard({}, 0.5)).tags
    assert [tag.index for tag in tags] == list(range(527))


def test_labels_and_exclude_choose_and_the_rest_is_never_shown():
    assert shown(SOUNDS, labels=["siren", "/m/0bt9lr", "0"], exclude=["Speech"]) == [("Siren", 0.4), ("Dog", 0.12)]


def test_a_watched_label_is_shown_whenever_it_reaches_its_threshold():
    assert shown(SOUNDS, top_k=1, watch=["Car alarm"]) == [("Ambulance (siren)", 0.6), ("Car alarm", 0.2)]
    assert shown(SOUNDS, top_k=1, watch=["Ambulance (siren)"]) == [("Ambulance (siren)", 0.6)]
    assert shown(SOUNDS, watch=["Dog"], thresholds={"Dog": 0.13}, top_k=1) == [("Ambulance (siren)", 0.6)]
    assert shown(SOUNDS, labels=["Speech"], watch=["Dog"]) == [("Speech", 0.3), ("Dog", 0.12)]
    assert ("Vehicle", 0.5) in shown(SOUNDS, most_specific=True, watch=["Vehicle"])


@given(seed=st.integers(0, 99), top_k=st.integers(0, 9))
def test_watching_changes_nothing_else(seed, top_k):
    window = ScoredWindow(SOURCE, 0, 0, 1, np.random.default_rng(seed).random(527, np.float32))
    plain = selector_of(LABELS, TagFilter(top_k=top_k))(window).tags
    watching = selector_of(LABELS, TagFilter(top_k=top_k, watch=["7"]))(window).tags
    assert [tag for tag in watching if tag in plain or tag.index != 7] == list(plain)


def test_a_group_is_shown_with_its_members_and_has_the_best_of_their_scores():
    assert shown(SOUNDS, labels=["Siren"], group=True) == [("Ambulance (siren)", 0.6), ("Siren", 0.6)]
    abstract = shown({"Bark": 0.7, "Speech": 0.9}, labels=["Domestic animals, pets", "Human sounds"], group=True)
    assert abstract == [("Speech", 0.9), ("Human sounds", 0.9), ("Domestic animals, pets", 0.7), ("Bark", 0.7)]


def test_what_is_excluded_from_a_group_does_not_count_in_it():
    assert shown(SOUNDS, labels=["Vehicle"], exclude=["Siren"], group=True) == [("Vehicle", 0.5), ("Car alarm", 0.2)]
    with pytest.raises(InputError, match="leave no class"):
        selector_of(LABELS, TagFilter(labels=["Siren"], exclude=["Alarm"], group=True))


def test_groups_can_be_watched_and_have_thresholds():
    assert shown(SOUNDS, labels=["Dog"], watch=["Vehicle"], group=True) == [("Vehicle", 0.6), ("Dog", 0.12)]
    assert shown(SOUNDS, labels=["Siren"], group=True, thresholds={"Siren": 0.7}) == [("Ambulance (siren)", 0.6)]


def test_a_level_puts_classes_into_groups_of_which_labels_choose():
    assert shown(SOUNDS, depth=1) == [("Sounds of things", 0.6), ("Human sounds", 0.3), ("Animal", 0.12)]
    assert shown(SOUNDS, depth=1, exclude=["Human sounds"], labels=["animal", "human sounds"]) == [("Animal", 0.12)]
    assert shown(SOUNDS, depth=1, watch=["Speech"], top_k=1) == [("Sounds of things", 0.6), ("Speech", 0.3)]


@given(seed=st.integers(0, 99), depth=st.integers(1, 6))
def test_probabilities_and_rows_roll_up_to_the_same_tags(seed, depth):
    window = ScoredWindow(SOURCE, 0, 0, 1, np.random.default_rng(seed).random(527, np.float32))
    rows = selector_of(LABELS, TagFilter(**ALL))(window)
    (rolled,) = roll_up([rows], depth=depth)
    assert rolled == selector_of(LABELS, TagFilter(depth=depth, **ALL))(window)


@given(seed=st.integers(0, 99), node=st.sampled_from(ontology(LABELS)))
def test_probabilities_and_rows_group_to_the_same_tags(seed, node):
    window = ScoredWindow(SOURCE, 0, 0, 1, np.random.default_rng(seed).random(527, np.float32))
    rows = selector_of(LABELS, TagFilter(**ALL))(window)
    (rolled,) = roll_up([rows], names=[node.mid])
    assert rolled == selector_of(LABELS, TagFilter(labels=[node.mid], group=True, **ALL))(window)


def test_most_specific_makes_room_for_other_sounds():
    scores = {"Animal": 0.6, "Dog": 0.7, "Bark": 0.7, "Domestic animals, pets": 0.7, "Speech": 0.2}
    assert shown(scores, top_k=2, most_specific=True) == [("Bark", 0.7), ("Speech", 0.2)]


def test_where_sees_all_classes_and_takes_the_tags_of_windows_for_which_it_does_not_hold():
    assert shown(SOUNDS, labels=["Dog"], where="Siren > 0.3 and not Music > 0.5") == [("Dog", 0.12)]
    assert shown(SOUNDS, labels=["Dog"], watch=["Siren"], where="Siren > 0.4") == []
    assert shown({"Siren": 0.30004}, where="Siren > 0.3") == []


def test_with_group_a_name_in_where_is_a_group_too():
    assert shown(SOUNDS, where="Siren > 0.5") == []
    assert shown(SOUNDS, labels=["Dog"], group=True, where="Siren > 0.5 and Human sounds == 0.3") == [("Dog", 0.12)]


def test_an_unknown_label_is_said_and_an_error_when_none_is_known(caplog):
    logging.getLogger("cedtag.labels.selection").addHandler(caplog.handler)
    assert shown(SOUNDS, labels=["Dog", "Dgo"]) == [("Dog", 0.12)]
    assert "did you mean 'Dog'" in caplog.text
    for wanted in ({"labels": ["Dgo"]}, {"watch": ["Dgo"]}, {"exclude": ["Dgo"]}, {"depth": 1, "labels": ["Dgo"]}):
        with pytest.raises(InputError, match="no label is called 'Dgo'"):
            shown(SOUNDS, **wanted)
    logging.getLogger("cedtag.labels.selection").removeHandler(caplog.handler)


@pytest.mark.parametrize(
    "wanted",
    [
        {"group": True},
        {"group": True, "labels": ["Dog"], "depth": 1},
        {"group": True, "labels": ["Dog"], "most_specific": True},
    ],
)
def test_group_needs_labels_and_stands_alone(wanted):
    with pytest.raises(InputError, match="`group` adds the score"):
        selector_of(LABELS, TagFilter(**wanted))


def test_a_models_own_labels_have_groups():
    own = labels_of({0: "Siren", 1: "My own bird", 2: "Bark"})
    window = ScoredWindow(SOURCE, 0, 0, 1, np.array([0.5, 0.4, 0.3], np.float32))
    tags = selector_of(own, TagFilter(depth=1))(window).tags
    assert [(tag.label, tag.score) for tag in tags] == [
        ("Sounds of things", 0.5),
        ("My own bird", 0.4),
        ("Animal", 0.3),
    ]
    assert all(tag.index >= 3 for tag in tags if tag.label != "My own bird")
    assert members_of(ontology(own)[3], own)
