from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import InputError
from cedtag.labels.groups import Grouping, depth_of, level, members_of, most_specific, ontology, roll_up, trees
from cedtag.labels.table import Label, ancestors, audioset, descendants, find_labels, labels_of, nodes
from cedtag.records import FileEnd, Source, Tag, TagResult

LABELS = labels_of({label.index: label.name for label in audioset()})
BY_NAME = {label.name: label for label in ontology(LABELS)}
SOURCE = Source("a.wav", "a.wav", "a.wav")


def tag(name: str, score: float) -> Tag:
    label = BY_NAME[name]
    return Tag(label.index, label.mid, name, score)


def names(tags) -> list[str]:
    return [tag.label for tag in tags]


def test_the_ontology_of_a_model_is_its_classes_and_the_nodes_above_them_with_indices_of_their_own():
    known = ontology(LABELS)
    assert known[:527] == LABELS
    assert known[527] == Label(527, "/m/0dgw9r", "Human sounds")
    assert len({label.index for label in known}) == len({label.mid for label in known}) == len(known)
    assert all(descendants(label.mid) & {one.mid for one in LABELS} for label in known[527:])


def test_the_nodes_above_a_models_own_classes_are_groups_too():
    own = labels_of({0: "Siren", 1: "My own bird", 2: "Bark"})
    above = {label.name for label in ontology(own)[3:]}
    assert {"Alarm", "Sounds of things", "Dog", "Animal"} <= above
    assert members_of(find_labels("Animal", ontology(own))[0], own) == (2,)
    assert members_of(own[1], own) == (1,)


@given(st.sampled_from(ontology(LABELS)))
def test_the_members_of_a_node_are_itself_and_all_classes_below(node):
    expected = {label.index for label in LABELS if label.mid == node.mid or node.mid in ancestors(label.mid)}
    assert set(members_of(node, LABELS)) == expected


@given(seed=st.integers(0, 99), node=st.sampled_from(ontology(LABELS)))
def test_a_groups_score_is_the_best_of_its_members_and_the_others_keep_theirs(seed, node):
    scores = np.random.default_rng(seed).random(527)
    grouping = Grouping(trees(LABELS, [node]))
    found = dict(zip(grouping.labels, grouping(scores), strict=True))
    members = members_of(node, LABELS)
    assert found.pop(node) == max(scores[list(members)])
    assert found == {LABELS[index]: scores[index] for index in members if LABELS[index] != node}


def test_the_levels_of_the_ontology_begin_with_its_seven_roots():
    assert [label.name for label in Grouping(level(LABELS, 1)).labels if depth_of(label.mid) == 1] == [
        "Animal",
        "Music",
        "Human sounds",
        "Natural sounds",
        "Sounds of things",
        "Source-ambiguous sounds",
        "Channel, environment and background",
    ]
    assert max(depth_of(node.mid) for node in nodes()) == 6
    with pytest.raises(InputError, match="from there on"):
        level(LABELS, 0)


@given(st.integers(1, 7))
def test_at_a_level_every_class_counts_in_groups_of_that_depth_or_stays_as_it_is(depth):
    groups = level(LABELS, depth)
    assert {index for members in groups.values() for index in members} == set(range(527))
    for node, members in groups.items():
        assert depth_of(node.mid) <= depth
        assert members == (node.index,) or set(members) <= set(members_of(node, LABELS))


def test_a_class_with_several_parents_counts_in_each_of_its_groups():
    howl = BY_NAME["Howl"].index
    assert {node.name for node, members in level(LABELS, 2).items() if howl in members} == {
        "Domestic animals, pets",
        "Wild animals",
    }


def test_the_most_specific_tags_are_those_without_a_descendant_that_scores_as_well():
    tags = (tag("Bark", 0.8), tag("Animal", 0.8), tag("Dog", 0.7), tag("Speech", 0.6), tag("Growling", 0.5))
    assert names(most_specific(tags)) == ["Bark", "Speech", "Growling"]
    assert names(most_specific((tag("Dog", 0.8), tag("Bark", 0.7), tag("Animal", 0.6)))) == ["Dog", "Bark"]
    assert names(most_specific((tag("Dog", 0.8), tag("Animal", 0.8), tag("Bark", 0.8)))) == ["Bark"]


@given(st.dictionaries(st.integers(0, 526), st.integers(0, 5), max_size=30))
def test_what_most_specific_drops_has_a_descendant_that_scores_as_well_and_what_it_keeps_has_none(chosen):
    tags = tuple(sorted((tag(LABELS[i].name, s / 10) for i, s in chosen.items()), key=lambda t: (-t.score, t.index)))
    kept = most_specific(tags)
    assert [one for one in tags if one in kept] == list(kept)
    for one in tags:
        covered = any(one.mid in ancestors(other.mid) and other.score >= one.score for other in tags)
        assert covered == (one not in kept)


def test_rows_are_rolled_up_by_depth_or_by_nodes():
    rows = TagResult(SOURCE, 0, 0, 160_000, (tag("Howl", 0.6), tag("Speech", 0.5), tag("Bark", 0.4)))
    end = FileEnd(SOURCE, 160_000, 1)
    (by_depth, same_end), (by_name, _) = (
        roll_up([rows, end], depth=1),
        roll_up([rows, end], names=["canidae, dogs, wolves"]),
    )
    assert [(one.label, one.score) for one in by_depth.tags] == [("Animal", 0.6), ("Human sounds", 0.5)]
    assert same_end == end
    assert [(one.label, one.score) for one in by_name.tags] == [
        ("Howl", 0.6),
        ("Canidae, dogs, wolves", 0.6),
    ]


@pytest.mark.parametrize("args", [{}, {"depth": 1, "names": ["Dog"]}, {"names": ["Dgo"]}])
def test_rolling_up_needs_one_way_of_grouping(args):
    with pytest.raises(InputError):
        list(roll_up([], **args))
