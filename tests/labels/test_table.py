from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis.strategies import sampled_from

from cedtag.errors import InputError
from cedtag.labels.table import (
    Label,
    ancestors,
    audioset,
    close_names,
    descendants,
    find_labels,
    labels_of,
    nodes,
    walk_tree,
)

MIDS = {node.name: node.mid for node in nodes()}
NAMES = {node.mid: node.name for node in nodes()}
LABELS = labels_of({label.index: label.name for label in audioset()})


def test_the_table_has_the_classes_in_model_order():
    classes = audioset()
    assert [label.index for label in classes] == list(range(527))
    assert (classes[0].mid, classes[0].name) == ("/m/09x0r", "Speech")
    assert (classes[526].mid, classes[526].name) == ("/m/07hvw1", "Field recording")
    assert sum("," in label.name for label in classes) == 75


def test_the_ontology_has_each_name_and_mid_once_and_no_loop():
    assert len(nodes()) == 632
    assert len({node.mid for node in nodes()}) == len({node.name.casefold() for node in nodes()}) == 632
    assert sum(node.index is None for node in nodes()) == 105
    assert all(parent in NAMES for node in nodes() for parent in node.parents)
    assert not any(node.mid in ancestors(node.mid) for node in nodes())


def test_nodes_may_have_several_parents_and_classes_contain_classes():
    class_mids = {label.mid for label in audioset()}
    assert sum(len(node.parents) > 1 for node in nodes()) == 38
    assert sum(bool(ancestors(mid) & class_mids) for mid in class_mids) == 401


def test_ancestors_follow_every_parent_to_the_roots():
    assert {NAMES[mid] for mid in ancestors(MIDS["Howl"])} == {
        "Dog",
        "Domestic animals, pets",
        "Canidae, dogs, wolves",
        "Wild animals",
        "Animal",
    }


def test_descendants_are_everything_below():
    assert {NAMES[mid] for mid in descendants(MIDS["Siren"])} == {
        "Police car (siren)",
        "Ambulance (siren)",
        "Fire engine, fire truck (siren)",
        "Civil defense siren",
    }


@given(sampled_from(nodes()))
def test_ancestors_and_descendants_mirror_each_other(node):
    assert all(node.mid in descendants(mid) for mid in ancestors(node.mid))
    assert all(node.mid in ancestors(mid) for mid in descendants(node.mid))


def test_a_mid_outside_the_ontology_has_nothing_above_or_below():
    assert ancestors("") == descendants("") == descendants("/m/unknown") == frozenset()


def test_the_tree_shows_a_node_under_each_of_its_parents():
    walk = list(walk_tree(NAMES))
    assert [node.name for depth, node in walk if depth == 0] == [
        "Human sounds",
        "Animal",
        "Music",
        "Natural sounds",
        "Sounds of things",
        "Source-ambiguous sounds",
        "Channel, environment and background",
    ]
    assert {node for _, node in walk} == set(nodes())
    assert len(walk) == 690


def test_the_labels_of_a_checkpoint_win_and_keep_their_order_and_spelling():
    assert labels_of({2: "My own bird", 0: "SPEECH", 1: "Yawn"}) == (
        Label(0, MIDS["Speech"], "SPEECH"),
        Label(1, MIDS["Yawn"], "Yawn"),
        Label(2, "", "My own bird"),
    )


@given(sampled_from(LABELS))
def test_a_label_is_found_by_name_mid_and_index_in_any_case(label):
    for wanted in (
        label.name,
        label.name.upper(),
        f" {label.name.lower()} ",
        label.mid,
        label.mid.upper(),
        str(label.index),
    ):
        assert find_labels(wanted, LABELS) == (label,)


def test_all_labels_of_one_name_are_found():
    twins = (Label(0, "", "rain"), Label(1, "", "wind"), Label(2, "", "Rain"))
    assert find_labels("rain", twins) == (twins[0], twins[2])


def test_a_name_wins_over_an_index():
    digits = (Label(0, "", "1"), Label(1, "", "0"))
    assert find_labels("1", digits) == (digits[0],)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("Speach", "no label is called 'Speach'; did you mean 'Speech'?"),
        ("trains", "no label is called 'trains'; did you mean 'Train' or 'Rain'?"),
        ("xyzzy", "no label is called 'xyzzy', nor anything like it; `cedtag labels -m MODEL` lists the classes"),
        (" ", "a label is empty; give a name, a MID or an index"),
    ],
)
def test_an_unknown_label_is_an_error_that_says_what_may_be_meant(wanted, sentence):
    with pytest.raises(InputError) as error:
        find_labels(wanted, LABELS)
    assert str(error.value) == sentence


@pytest.mark.parametrize("wanted", ["527", "-1", "Siren,Music", "/m/09x0", "9" * 5000])
def test_what_is_near_a_label_is_not_a_label(wanted):
    with pytest.raises(InputError):
        find_labels(wanted, LABELS)


def test_names_that_contain_the_words_come_before_names_spelt_alike():
    assert close_names("train", ["Rain", "Trail", "Train whistle", "Train horn"]) == [
        "Train horn",
        "Train whistle",
        "Rain",
    ]


def test_reading_the_table_loads_nothing_heavy():
    heavy = "{'numpy', 'torch', 'rich', 'click'}"
    code = f"import sys, cedtag.labels.table as table; table.audioset(); print({heavy} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
