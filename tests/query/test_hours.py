from __future__ import annotations

from cedtag.query.hours import Hours
from cedtag.records import FileEnd, FileFailed, Source, Tag, TagResult, TimedSource

DOG, RAIN = Tag(74, "/m/0bt9lr", "Dog", 0.5), Tag(289, "/m/06mb1", "Rain", 0.4)
S = 16_000
NIGHT = TimedSource("rec/a.wav", "rec/a.wav", "a.wav", began="2024-05-01T23:59:55+02:00")
DAY = Source("rec/more/b.wav", "rec/more/b.wav", "more/b.wav")


def counted(by: str | None, **more: int) -> list[tuple[object, ...]]:
    """The rows for a recording over midnight, one without a start time, and one that failed."""
    results = [
        TagResult(NIGHT, 0, 0, 10 * S, (DOG, RAIN)),
        TagResult(NIGHT, 1, 5 * S, 15 * S, (DOG,)),
        TagResult(NIGHT, 2, 10 * S, 20 * S, ()),
        FileEnd(NIGHT, 20 * S, 3),
        TagResult(DAY, 0, 0, 10 * S, (RAIN,)),
        FileEnd(DAY, 10 * S, 1),
        FileFailed(Source("c", "c", "c"), "open", "no audio"),
    ]
    hours = Hours(by, **more)
    assert len(list(hours.take(results))) == 3
    return [(bin_, label, *rest) for bin_, _, _, label, *rest in hours.rows()]


def test_windows_that_overlap_share_their_seconds():
    assert counted(None) == [("", "Rain", 2, 2, 20.0, 30.0), ("", "Dog", 2, 1, 15.0, 30.0)]


def test_seconds_are_divided_at_midnight_and_a_recording_without_start_time_stands_apart():
    assert counted("day") == [
        ("", "Rain", 1, 1, 10.0, 10.0),
        ("2024-05-01", "Dog", 1, 1, 5.0, 5.0),
        ("2024-05-01", "Rain", 1, 1, 5.0, 5.0),
        ("2024-05-02", "Dog", 1, 1, 10.0, 15.0),
        ("2024-05-02", "Rain", 0, 1, 5.0, 15.0),
    ]


def test_hours_are_those_of_the_day():
    assert [row[:2] for row in counted("hour")] == [
        ("", "Rain"),
        *[("00", "Dog"), ("00", "Rain"), ("23", "Dog"), ("23", "Rain")],
    ]


def test_folders_are_those_of_the_names():
    assert [row[:2] for row in counted("folder")] == [("rec", "Dog"), ("rec", "Rain"), ("rec/more", "Rain")]


def test_a_bin_without_the_class_shows_how_much_was_recorded():
    hours = Hours("folder")
    list(hours.take([FileEnd(DAY, 10 * S, 1)]))
    assert list(hours.rows()) == [("rec/more", None, "", "", 0, 0, 0.0, 10.0)]


def test_what_is_before_the_part_that_was_scored_is_not_recorded_time():
    assert {row[-1] for row in counted(None, part_start=5 * S)} == {20.0}
