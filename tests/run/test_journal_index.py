from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from cedtag.records import Source
from cedtag.run.journal import index
from cedtag.run.journal.index import STATUSES, Done

SOURCES = st.builds(
    lambda name, root, size: Source(f"{root}/{name}", f"{root}/{name}", name, root, size, size + 1),
    st.text(st.characters(codec="utf-8", exclude_categories=[]) | st.just("\udcff"), max_size=3),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from([0, 7, 2**63]),
)


@given(st.lists(st.tuples(SOURCES, st.sampled_from(STATUSES)), max_size=20), SOURCES)
def test_the_latest_entry_of_a_name_is_found(entries, wanted):
    done, latest = Done(), {}
    for offset, (source, status) in enumerate(entries):
        done.add(source, status, offset)
        latest[source.name] = (source, status, offset)
    done.sort()

    assert len(done) == len(latest)
    found = done.find(wanted)
    if wanted.name not in latest:
        assert found is None
    else:
        source, status, offset = latest[wanted.name]
        assert found is not None
        assert (found.offset, found.status, found.unchanged) == (offset, status, source == wanted)
    assert done.offsets().tolist() == sorted(offset for _, _, offset in latest.values())


@given(st.lists(st.tuples(SOURCES, st.sampled_from(STATUSES)), max_size=20), st.sets(st.integers(0, 19)))
def test_gone_is_what_has_rows_and_was_not_met_again(entries, met):
    done, latest = Done(), {}
    for offset, (source, status) in enumerate(entries):
        done.add(source, status, offset)
        latest[source.name] = (source, status, offset)
    done.sort()
    for number in met & set(range(len(entries))):
        source = entries[number][0]
        done.keep(done.find(source))
        latest.pop(source.name, None)
    assert done.gone().tolist() == sorted(offset for _, status, offset in latest.values() if status != "failed")


def test_by_relative_path_a_moved_root_is_told():
    done = Done(by_relative=True)
    source = Source("a/x.wav", "a/x.wav", "x.wav", "a", 5, 6)
    done.add(source, "ok", 0)
    done.sort()
    entry = done.find(replace(source, name="b/x.wav", root="b"))
    assert (entry.unchanged, entry.moved) == (True, True)


@given(
    st.integers(0, 2**63),
    st.integers(0, 2**62),
    st.sampled_from([-1, 1]),
    st.integers(-300, 300),
    st.sampled_from(["hour", "rounded", "second", "two", "size"]),
)
@example(1, 1_000, 1, -1, "rounded")
@example(1, 999, -1, 1, "rounded")
def test_a_file_whose_time_moved_by_exactly_one_hour_is_unchanged(size, mtime_ns, sign, rounding_ns, kind):
    done = Done()
    source = Source("a", "a", "a", "", size, mtime_ns)
    done.add(source, "ok", 0)
    done.sort()
    hour_ns = 3600 * 10**9
    moved_ns = {"hour": hour_ns, "rounded": hour_ns + rounding_ns, "second": hour_ns + 10**9, "two": 2 * hour_ns}
    moved = replace(source, mtime_ns=mtime_ns + sign * moved_ns.get(kind, hour_ns), size=size + (kind == "size"))
    assert done.find(moved).unchanged == (kind in ("hour", "rounded"))


def test_times_that_moved_by_an_hour_are_logged_once(monkeypatch):
    logged: list[tuple[object, ...]] = []
    monkeypatch.setattr(index.logger, "info", lambda *message: logged.append(message))
    done = Done()
    sources = [Source(name, name, name, "", 1, 10**18) for name in "abc"]
    for source in sources:
        done.add(source, "ok", 0)
    done.sort()
    assert all(done.find(source).unchanged for source in sources)
    assert not logged
    assert all(done.find(replace(source, mtime_ns=10**18 + 3600 * 10**9)).unchanged for source in sources)
    assert [message[1] for message in logged] == ["a"]


def test_a_recording_is_found_by_its_place_whatever_its_name():
    done = Done()
    source = Source("a/x.wav", "a/x.wav", "x.wav", "a", 5, 6, at="/a/x.wav")
    done.add(source, "ok", 0)
    done.add(replace(source, at="/b/x.wav"), "failed", 1)
    done.sort()
    entry = done.find(replace(source, name="./a/x.wav", root="./a"))
    assert (entry.offset, entry.renamed) == (0, True)
    assert done.find(replace(source, at="/c/x.wav")) is None
    by_name = done.find_name(replace(source, at="/c/x.wav"))
    assert (by_name.offset, by_name.renamed) == (0, False)  # the one that has results


def test_a_recording_that_was_in_another_place_is_there_no_more():
    done = Done()
    places = ["/a/x", "/b/x", "/a/x"]
    for offset, (at, was) in enumerate(zip(places, [None, *places], strict=False)):
        done.add(Source("x", "x", "x", at=at), "ok", offset, was)
    done.sort()
    assert done.offsets().tolist() == [2]
