"""A store gives back what was written, in the order of a run, whatever its parts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from pyarrow import parquet

from cedtag.errors import InputError, OutputError
from cedtag.records import FileEnd, FileFailed, Source, TimedSource
from cedtag.store import is_score_store, open_store
from cedtag.store.compact import compact, without_superseded
from cedtag.store.facts import StoreFacts
from cedtag.store.schema import class_columns
from cedtag.store.write import open_store_writer
from tests.stores import AUDIOSET_FACTS, FACTS, FEW, ended, make_store, source, windows

SMALL = replace(FACTS, embedding_size=None)


def names(store):
    return [outcome.source.name for outcome in store.recordings()]


def read_all(store, **how):
    """The windows of each recording, put together again."""
    found = {}
    for batch in store.windows(**how):
        found.setdefault(batch.source.name, []).append(batch)
    return found


@pytest.mark.parametrize("parts", [1, 3])
def test_windows_come_back_with_the_scores_and_times_that_were_written(tmp_path, parts):
    made = make_store(tmp_path / "s", {"a.wav": 3, "b.wav": "cannot be decoded", "c.wav": 40, "d.wav": 0}, parts=parts)
    store = open_store(tmp_path / "s")
    assert names(store) == [f"archive/{name}.wav" for name in "abcd"]
    assert store.num_windows == 43
    found = read_all(store, embeddings=True)
    assert found.keys() == {"archive/a.wav", "archive/c.wav"}
    for name, batches in found.items():
        scores = np.concatenate([batch.scores for batch in batches])
        assert scores.dtype == np.uint16
        expected = np.stack([window.probabilities for window in made[name]]).astype(np.float64).round(4)
        assert (scores / 10_000 == expected).all()
        assert np.concatenate([batch.index for batch in batches]).tolist() == list(range(len(expected)))
        assert np.concatenate([batch.start for batch in batches]).tolist() == [one.start for one in made[name]]
        assert np.concatenate([batch.stop for batch in batches]).tolist() == [one.stop for one in made[name]]
        vectors = np.concatenate([batch.embeddings for batch in batches])
        assert vectors.tolist() == [one.embedding.astype(np.float16).tolist() for one in made[name]]


def test_outcomes_come_back_with_all_their_facts(tmp_path):
    odd = Source("x\udcff\\u1234.wav", "x\udcff\\u1234.wav", "x\udcff\\u1234.wav", "", 7, -1)
    timed = TimedSource("d/t.wav", "d/t.wav", "t.wav", "d", 1, 2, "2024-05-01T04:00:00+02:00", at="/d/t.wav")
    outcomes = [
        FileFailed(odd, "decode", "x\udcff: cannot be decoded", "Trace\udcff"),
        FileEnd(timed, 1234, 0, ("cut \udcff short",), ("scored one", "two"), "timeout", "back"),
    ]
    writer = open_store_writer(tmp_path / "s", FACTS)
    for outcome in outcomes:
        writer.end(outcome)
    writer.finish_part()
    writer.close()
    found = list(open_store(tmp_path / "s").recordings())
    assert found == outcomes
    assert found[1].source.at == "/d/t.wav"


def test_only_the_classes_that_are_asked_for_are_read_in_their_order(tmp_path):
    make_store(tmp_path / "s", {"a.wav": 5})
    store = open_store(tmp_path / "s")
    everything = next(store.windows()).scores
    assert (next(store.windows([3, 1])).scores == everything[:, [3, 1]]).all()
    assert next(store.windows([])).scores.shape == (5, 0)


def test_recordings_of_a_folder_come_in_the_order_of_their_paths_whatever_part_holds_them(tmp_path):
    make_store(tmp_path / "s", {"b/x.wav": 1, "z.wav": 1})
    make_store(tmp_path / "s", {"B.wav": 2, "b-.wav": 1, "b.wav": "bad", "b/a.wav": 1})
    store = open_store(tmp_path / "s")
    below = ["B.wav", "b-.wav", "b.wav", "b/a.wav", "b/x.wav", "z.wav"]
    assert names(store) == [f"archive/{name}" for name in below]
    assert [batch.source.relative for batch in store.windows()] == [name for name in below if name != "b.wav"]


def test_roots_and_named_files_come_in_the_order_in_which_they_were_first_met(tmp_path):
    writer = open_store_writer(tmp_path / "s", SMALL)
    named = [Source(name, name, name, "", at=f"/{name}") for name in ("z.wav", "a.wav")]
    for one in (named[0], source("q.wav", "second"), source("b.wav", "first"), named[1]):
        writer.end(ended(one, 0))
    writer.finish_part()
    writer.end(ended(source("a.wav", "first"), 0))
    writer.finish_part()
    writer.close()
    assert names(open_store(tmp_path / "s")) == ["z.wav", "second/q.wav", "first/a.wav", "first/b.wav", "a.wav"]


def test_the_latest_state_of_a_recording_counts(tmp_path):
    make_store(tmp_path / "s", {"a.wav": 3, "b.wav": 2})
    writer = open_store_writer(tmp_path / "s", FACTS)
    again = replace(source("a.wav"), size=99)
    for window in windows(again, 1, seed=5):
        writer.add(window)
    writer.end(ended(again, 1))
    writer.finish_part()
    writer.close()
    store = open_store(tmp_path / "s")
    assert [(one.source.size, one.num_windows) for one in store.recordings()] == [(99, 1), (5, 2)]
    assert store.num_windows == 3
    assert sum(len(block.ids) for block in store.blocks()) == 3


def test_an_outcome_that_is_stated_anew_keeps_the_windows(tmp_path):
    made = make_store(tmp_path / "s", {"a.wav": 3, "b.wav": 2})
    own_id = next(open_store(tmp_path / "s").stored()).id
    writer = open_store_writer(tmp_path / "s", FACTS)
    writer.restate(own_id, ended(source("a.wav"), 3, ("stale",)))
    writer.finish_part()
    writer.close()
    store = open_store(tmp_path / "s")
    assert [one.problems for one in store.recordings()] == [("stale",), ()]
    (batch,) = read_all(store)["archive/a.wav"]
    assert len(batch.scores) == len(made["archive/a.wav"])
    assert store.recording(own_id).problems == ("stale",)


def test_blocks_give_every_window_with_the_id_of_its_recording(tmp_path):
    made = make_store(tmp_path / "s", {"b.wav": 2, "a.wav": 3}, parts=2)
    store = open_store(tmp_path / "s")
    found = [
        (store.recording(own_id).source.name, index)
        for block in store.blocks()
        for own_id, index in zip(block.ids.tolist(), block.index.tolist(), strict=True)
    ]
    assert found == [(name, index) for name, own in made.items() for index in range(len(own))]
    with pytest.raises(KeyError):
        store.recording(1)


def test_what_is_torn_is_cut_off_and_what_is_committed_stays(tmp_path):
    path = tmp_path / "s"
    writer = open_store_writer(path, FACTS)
    for name in ("a.wav", "b.wav"):
        for window in windows(source(name), 2):
            writer.add(window)
        writer.end(ended(source(name), 2))
    for window in windows(source("c.wav"), 2):
        writer.add(window)
    writer._part._rows._flush()  # as a kill would leave it
    writer._part.close()
    writer._folder.close()
    with next(path.glob("open.*.log")).open("ab") as log:
        log.write(b"0000")
    assert open_store(path).is_unfinished
    writer = open_store_writer(path, FACTS)
    assert [one.outcome.source.relative for one in writer.open_recordings] == ["a.wav", "b.wav"]
    writer.finish_part()
    writer.close()
    store = open_store(path)
    assert not store.is_unfinished
    assert names(store) == ["archive/a.wav", "archive/b.wav"]
    assert sum(len(batch.scores) for batch in store.windows()) == 4


def test_rows_that_a_power_cut_has_changed_do_not_count(tmp_path):
    path = tmp_path / "s"
    writer = open_store_writer(path, FACTS)
    for name in ("a.wav", "b.wav"):
        for window in windows(source(name), 2):
            writer.add(window)
        writer.end(ended(source(name), 2))
    writer.close()
    rows = next(path.glob("open.*.rows"))
    data = bytearray(rows.read_bytes())
    data[-1] ^= 1
    rows.write_bytes(data)
    writer = open_store_writer(path, FACTS)
    assert [one.outcome.source.relative for one in writer.open_recordings] == ["a.wav"]
    writer.close()


def test_shards_merge_by_copying_their_parts(tmp_path):
    made = make_store(tmp_path / "1", {"b.wav": 1, "d.wav": 2})
    made |= make_store(tmp_path / "2", {"a.wav": 3, "c.wav": "bad"})
    for table in ("windows", "recordings"):
        for part in (tmp_path / "2" / table).iterdir():
            shutil.copy(part, tmp_path / "1" / table)
    store = open_store(tmp_path / "1")
    assert names(store) == [f"archive/{name}.wav" for name in "abcd"]
    assert sum(len(batch.scores) for batch in store.windows()) == 6


def test_parts_of_another_model_or_other_settings_are_refused_by_name(tmp_path):
    make_store(tmp_path / "1", {"a.wav": 1})
    make_store(tmp_path / "2", {"b.wav": 1}, replace(FACTS, settings={**FACTS.settings, "window": 5.0}))
    for table in ("windows", "recordings"):
        for part in (tmp_path / "2" / table).iterdir():
            shutil.copy(part, tmp_path / "1" / table)
    with pytest.raises(InputError, match=r"`window` was 5.0 and is now 10.0.*a store of its own"):
        list(open_store(tmp_path / "1").recordings())


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(FACTS, settings={**FACTS.settings, "model": "tiny"}), "`model` was demo and is now tiny"),
        (AUDIOSET_FACTS, "the classes of the model were others"),
        (replace(FACTS, embedding_size=None), "`embeddings` was of length 8 and is now off"),
    ],
)
def test_a_store_of_other_facts_is_not_gone_on_with(tmp_path, other, what):
    make_store(tmp_path / "s", {"a.wav": 1})
    with pytest.raises(OutputError, match=what):
        open_store_writer(tmp_path / "s", other)


def test_two_writers_of_one_store_exclude_each_other(tmp_path):
    writer = open_store_writer(tmp_path / "s", FACTS)
    with pytest.raises(OutputError, match="another command is writing this store"):
        open_store_writer(tmp_path / "s", FACTS)
    writer.close()
    open_store_writer(tmp_path / "s", FACTS).close()


def test_another_backend_or_machine_goes_on_and_is_told(tmp_path):
    make_store(tmp_path / "s", {"a.wav": 1})
    make_store(tmp_path / "s", {"b.wav": 1}, replace(FACTS, written_by={"backend": "onnx"}))
    assert open_store(tmp_path / "s").written_by == ({"backend": "torch"}, {"backend": "onnx"})


def test_damage_and_missing_columns_are_a_sentence_with_the_name_of_the_part(tmp_path):
    make_store(tmp_path / "s", {"a.wav": 30}, SMALL)
    part = next((tmp_path / "s" / "windows").iterdir())
    whole = part.read_bytes()
    middle = whole.rindex(b"\x28\xb5\x2f\xfd") + 9  # within a page that zstd has compressed
    part.write_bytes(whole[:middle] + bytes([whole[middle] ^ 8]) + whole[middle + 1 :])
    with pytest.raises(InputError, match=f"{part.name}.*damaged"):
        list(open_store(tmp_path / "s").windows())
    part.write_bytes(whole[:-9])
    with pytest.raises(InputError, match=f"{part.name}.*damaged"):
        list(open_store(tmp_path / "s").windows())
    part.write_bytes(whole)
    parquet.write_table(parquet.read_table(part).drop_columns(["Rain"]), part)
    with pytest.raises(InputError, match=f"{part.name}.*no column 'Rain'"):
        list(open_store(tmp_path / "s").windows())
    part.unlink()
    with pytest.raises(InputError, match=f"{part.name}.*missing"):
        list(open_store(tmp_path / "s").windows())


def test_windows_of_another_part_are_not_taken_for_those_of_a_recording(tmp_path):
    make_store(tmp_path / "s", {"a.wav": 2, "b.wav": 2}, parts=2)
    one, other = sorted((tmp_path / "s" / "windows").iterdir())
    shutil.copy(other, one)
    with pytest.raises(InputError, match=f"{one.name}.*other windows"):
        list(open_store(tmp_path / "s").windows())


def test_columns_of_classes_have_names_of_their_own():
    assert class_columns(FEW) == ["Rain", "Dog (/m/1)", "dog (/m/2)", "window (3)"]
    assert len(set(class_columns(AUDIOSET_FACTS.labels))) == 527


def test_a_folder_without_a_store_is_none(tmp_path):
    assert not is_score_store(tmp_path)
    with pytest.raises(InputError, match="there is no store here"):
        open_store(tmp_path)
    (tmp_path / "store.json").write_text(json.dumps({"store": "scores", "format": 1}))
    with pytest.raises(InputError, match="does not hold the facts"):
        open_store(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["store.json"]


def test_facts_are_what_they_were():
    from cedtag.store.facts import facts_from_dict

    facts = StoreFacts({"model": "x"}, FEW, 8, {"backend": "onnx"})
    assert facts_from_dict("store.json", json.loads(json.dumps(facts.to_dict()))) == facts


def everything(store):
    """What a store holds of each recording, without what depends on its parts."""
    windows = {}
    for batch in store.windows(embeddings=True):
        own = batch.index, batch.start, batch.stop, batch.channel, batch.scores, batch.embeddings
        rows = zip(*(part.tolist() for part in own), strict=True)
        windows.setdefault(batch.source, []).extend(rows)
    return list(store.recordings()), list(windows.items())


def with_superseded(path):
    make_store(path, {"b/x.wav": 4, "z.wav": 1, "gone.wav": "bad"}, parts=2)
    make_store(path, {"a.wav": 2, "b-.wav": 1, "c.wav": "bad", "b/a.wav": 3}, root="second", parts=2)
    writer = open_store_writer(path, FACTS)
    again = replace(source("z.wav"), size=99)
    for window in windows(again, 2, seed=5):
        writer.add(window)
    writer.end(ended(again, 2))
    first = next(open_store(path).stored())
    writer.restate(first.id, ended(first.outcome.source, 4, ("stale",)))
    writer.finish_part()
    writer.close()


def test_a_part_is_written_anew_without_what_does_not_count(tmp_path):
    path = tmp_path / "s"
    with_superseded(path)
    before = everything(open_store(path))
    written = list(without_superseded(path))
    assert [len(instead_of) for _, instead_of in written] == [1]
    assert everything(open_store(path)) == before
    assert sum(parquet.read_metadata(part).num_rows for part in (path / "windows").iterdir()) == 12
    assert list(without_superseded(path)) == []


def test_a_store_is_compacted_to_the_same_results(tmp_path):
    path = tmp_path / "s"
    with_superseded(path)
    before = everything(open_store(path))
    list(compact(path))
    assert everything(open_store(path)) == before
    (part,) = (path / "windows").iterdir()
    assert parquet.read_metadata(part).num_rows == 12
    names = parquet.read_table(part, columns=["recording"])["recording"].to_pylist()
    assert list(dict.fromkeys(names)) == [one.source.name for one in before[0] if not isinstance(one, FileFailed)]


def test_compacting_that_is_stopped_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "s"
    with_superseded(path)
    before = everything(open_store(path))
    monkeypatch.setattr("cedtag.store.compact.WINDOWS_PER_PART", 3)
    for _ in range(3):
        next(iter(compact(path)))
        assert everything(open_store(path)) == before
    list(compact(path))
    assert everything(open_store(path)) == before
    assert len(list((path / "recordings").iterdir())) == 4


def test_recordings_are_taken_out_by_their_ids(tmp_path):
    path = tmp_path / "s"
    with_superseded(path)
    dropped = [one.id for one in open_store(path).stored() if one.outcome.source.relative in ("z.wav", "c.wav")]
    outcomes, found = everything(open_store(path))
    list(without_superseded(path, dropped))
    store = open_store(path)
    assert everything(store) == (
        [one for one in outcomes if one.source.relative not in ("z.wav", "c.wav")],
        [(one, rows) for one, rows in found if one.relative != "z.wav"],
    )


def test_a_run_is_repeated_by_the_settings_of_a_store(cedtag, sounds):
    cedtag("sounds", "-q", "-w", "4", "--store", "store", "-o", "tags.json")
    assert cedtag("sounds", "-q", "--load-settings", "store", "-o", "again.json").code == 0
    assert (sounds.parent / "again.json").read_bytes() == (sounds.parent / "tags.json").read_bytes()
