"""What is validated on is no part of what is trained on, and has every class in its share."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from cedtag.errors import InputError
from cedtag.inputs.manifest import Example
from cedtag.training.hold_out import check_apart, sources_of, split_off


def example(path, *labels, start=0, fold="", group=""):
    return Example(path, path, labels or ("x",), start, fold=fold, group=group)


def split(examples, share, seed=0, group_by=None):
    return split_off(examples, share, seed, sources_of(examples, group_by))


@given(count=integers(4, 40), share=floats(0.05, 0.9), seed=integers(0, 9))
def test_a_split_parts_recordings_and_loses_none(count, share, seed):
    examples = [example(str(i // 2), start=i) for i in range(count)]
    kept, held_out = split(examples, share, seed)
    assert kept
    assert held_out
    assert sorted([*kept, *held_out], key=lambda one: one.start) == examples
    assert not {one.path for one in kept} & {one.path for one in held_out}
    assert (kept, held_out) == split(examples, share, seed)


@pytest.mark.parametrize("seed", range(20))
def test_every_class_has_its_share_and_none_loses_its_last_clip(seed):
    examples = [
        example(f"{name}{i}", name) for name, count in {"a": 40, "b": 20, "c": 10, "d": 1}.items() for i in range(count)
    ]
    kept, held_out = split(examples, 0.2, seed)
    assert Counter(one.labels[0] for one in held_out) == {"a": 8, "b": 4, "c": 2}
    assert {one.labels[0] for one in kept} == set("abcd")


def test_clips_of_one_source_stay_together():
    examples = [example(f"1-{source}-{take}.wav", "ab"[source % 2]) for source in range(10) for take in "ABC"]
    for seed in range(10):
        kept, held_out = split(examples, 0.3, seed, r"-(\d+)-")
        sources = [{re.findall(r"-(\d+)-", one.path)[0] for one in side} for side in (kept, held_out)]
        assert len(sources[1]) == 3
        assert not sources[0] & sources[1]
    grouped = [example(one.path, *one.labels, group=one.path[2]) for one in examples]
    assert [one.path for one in split(grouped, 0.3, 1)[1]] != []
    kept, held_out = split(grouped, 0.3, 1)
    assert not {one.group for one in kept} & {one.group for one in held_out}


def test_the_seed_decides_which():
    examples = [example(str(i)) for i in range(30)]
    assert split(examples, 0.2, 0)[1] != split(examples, 0.2, 1)[1]


def test_where_every_class_has_one_source_nothing_can_be_held_out():
    with pytest.raises(InputError, match="no clips can be held out"):
        split([example("a", "a"), example("b", "b")], 0.5)


def test_an_expression_that_matches_nothing_is_refused():
    with pytest.raises(InputError, match=r"`group_by` src\(\\d\): matches no name of a recording, such as a.wav"):
        sources_of([example("a.wav")], r"src(\d)")


def test_a_source_on_both_sides_is_named():
    train, valid = [example("1-7-A.wav", fold="1")], [example("1-7-B.wav", fold="2")]
    sources = sources_of([*train, *valid], r"-(\d+)-")
    with pytest.raises(
        InputError, match=r"1-7-B.wav is to be validated on, and 1-7-A.wav, which is of the same source"
    ):
        check_apart(train, valid, sources)
    check_apart(train, valid, sources_of([*train, *valid], None))


def test_the_command_line_keeps_sources_apart(cedtag, tmp_path, monkeypatch):
    from tests.hisses import write_hisses

    monkeypatch.chdir(tmp_path)
    write_hisses(tmp_path)
    words = ("finetune", "data.csv", "--from-config", "small.json", "--epochs", 1, "--crop", 0.3, 0.3)
    refused = cedtag(*words, "-o", "a", "--valid-fold", "0", "--group-by", r"/(low|high)/")
    assert refused.code == 2
    assert "which is of the same source" in refused.stderr
    assert cedtag(*words, "-o", "b", "--valid-split", "0.3", "--group-by", r"(\d)\.wav").code == 0
    broken = cedtag(*words, "-o", "c", "--group-by", "(")
    assert broken.code == 2
    assert "--group-by (: is no regular expression" in broken.stderr
