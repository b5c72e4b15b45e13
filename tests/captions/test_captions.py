"""Cues for sounds between lines: no byte of the lines changes, and nothing overlaps."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.captions.place import LONGEST_TEXT, captions, words_of
from cedtag.captions.subtitle_file import Cue, read_subtitles
from cedtag.errors import InputError
from cedtag.labels.table import audioset
from cedtag.records import SoundEvent, Source

A = Source("a.mkv", "a.mkv", "a.mkv")
NEW = Cue(4000, 5000, "[dog barking]")


def event(start_ms: int, stop_ms: int, label: str = "Dog", mid: str = "") -> SoundEvent:
    return SoundEvent(A, start_ms * 16, stop_ms * 16, 0, mid, label, 0.9, 0.9)


def placed(events, lines=(), *, all_classes=True):
    return [(cue.start, cue.stop, cue.text) for cue in captions(events, lines, all_classes=all_classes).cues]


def test_a_cue_is_shown_while_its_sound_can_be_heard():
    assert placed([event(2000, 4500)]) == [(2000, 4500, "[dog]")]


def test_a_cue_lasts_from_one_second_to_seven():
    assert placed([event(2000, 2300), event(20_000, 60_000)]) == [(2000, 3000, "[dog]"), (20_000, 27_000, "[dog]")]


def test_a_sound_during_a_line_has_its_cue_after_it_or_before():
    assert placed([event(2000, 9000)], [(1000, 4000)]) == [(4000, 9000, "[dog]")]
    assert placed([event(3500, 6000)], [(4000, 8000)]) == [(3000, 4000, "[dog]")]


def test_a_sound_without_a_free_second_has_no_cue_and_is_counted():
    found = captions([event(2000, 3000)], [(1000, 2500), (3200, 5000)], all_classes=True)
    assert (found.cues, found.num_left_out) == ((), 1)


def test_repeats_are_one_cue():
    barks = [event(start, start + 400) for start in (1000, 2000, 3000)]
    assert placed(barks) == [(1000, 3400, "[dog]")]
    assert len(placed([*barks, event(20_000, 21_000)])) == 2


def test_sounds_that_begin_together_share_a_cue_and_a_later_one_cuts_it_short():
    together = [event(0, 5000, "Music"), event(300, 4000, "Siren")]
    assert placed(together) == [(0, 5000, "[music, siren]")]
    assert placed([event(0, 5000, "Music"), event(3000, 4000)]) == [(0, 3000, "[music]"), (3000, 4000, "[dog]")]


def test_a_class_that_only_says_less_has_no_cue():
    animal, dog, bark = ("Animal", "/m/0jbk"), ("Dog", "/m/0bt9lr"), ("Bark", "/m/05tny_")
    together = [event(0, 4000, *animal), event(500, 3000, *dog), event(1000, 2500, *bark)]
    assert placed(together) == [(1000, 2500, "[dog barking]")]
    assert placed([event(0, 60_000, *animal), event(30_000, 31_000, *bark)]) == [
        (0, 7000, "[animal]"),
        (30_000, 31_000, "[dog barking]"),
    ]
    assert placed([event(0, 2000, *bark), event(40_000, 41_000, *animal)])[1] == (40_000, 41_000, "[animal]")


def test_speech_and_silence_have_no_cue_unless_classes_are_named():
    events = [event(0, 5000, "Speech", "/m/09x0r"), event(9000, 10_000, "Conversation", "/m/01h8n0")]
    assert placed(events, all_classes=False) == []
    assert placed(events) == [(0, 5000, "[speech]"), (9000, 10_000, "[conversation]")]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Bark", "[dog barking]"),
        ("Neigh, whinny", "[horse neighing]"),
        ("Vehicle horn, car horn, honking", "[vehicle horn]"),
        ("Howl", "[dog howling]"),
        ("Howl (wind)", "[howl]"),
        ("A --> B\n", "[a b]"),
        ("x" * 90, f"[{'x' * 40}]"),
        ("a rather long name of a class that somebody invented", "[a rather long name of a class that]"),
    ],
)
def test_words_of_a_label(label, text):
    assert words_of(label) == text


def test_every_class_of_audioset_has_words_that_fit():
    for one in audioset():
        text = words_of(one.name)
        assert 3 <= len(text) <= LONGEST_TEXT
        assert text == text.lower()


SPANS = st.tuples(st.integers(0, 60_000), st.integers(1, 20_000)).map(lambda span: (span[0], sum(span)))


@given(lines=st.lists(SPANS, max_size=8), sounds=st.lists(st.tuples(SPANS, st.sampled_from("abc")), max_size=8))
def test_cues_overlap_neither_lines_nor_each_other(lines, sounds):
    found = captions([event(start, stop, label) for (start, stop), label in sounds], lines, all_classes=True).cues
    cues = [(cue.start, cue.stop) for cue in found]
    assert all(stop - start >= 1000 for start, stop in cues)
    assert all(one[1] <= other[0] for one, other in pairwise(cues))
    assert all(stop <= line[0] or start >= line[1] for start, stop in cues for line in lines)
    assert all(len(cue.text) <= LONGEST_TEXT for cue in found)


SRT = "1\n00:00:01,000 --> 00:00:03,000\nHello\n\n2\n00:00:06,000 --> 00:00:08,000\n<i>World</i>\n\n"
CUE = "3\n00:00:04,000 --> 00:00:05,000\n[dog barking]\n\n"
FIRST, SECOND = SRT[: SRT.index("2\n00")], SRT[SRT.index("2\n00") :]
ODD = {
    "plain": SRT.encode(),
    "crlf": SRT.replace("\n", "\r\n").encode(),
    "cr": SRT.replace("\n", "\r").encode(),
    "bom": b"\xef\xbb\xbf" + SRT.encode(),
    "utf-16": SRT.encode("utf-16"),
    "latin-1": SRT.replace("Hello", "Caf\xe9").encode("latin-1"),
    "no blank line": SRT.replace("\n\n", "\n").encode(),
    "no number": SRT.replace("1\n00", "00").replace("2\n00", "00").encode(),
    "no end": SRT.rstrip().encode(),
    "styles": SRT.replace("Hello", "{\\an8}<font color='red'>Hello</font>").encode(),
    "overlaps": SRT.replace("00:00:03,000", "00:00:07,000").encode(),
    "positions": SRT.replace("03,000", "03,000 X1:100 X2:200 Y1:1 Y2:9").encode(),
    "short times": SRT.replace("00:00:01,000", "0:00:1,0").encode(),
    "blank text": SRT.replace("Hello", "").encode(),
    "number as text": SRT.replace("Hello", "1984").encode(),
}


def with_new(path, content: bytes) -> bytes:
    path.write_bytes(content)
    return read_subtitles(path).with_cues([NEW])


@pytest.mark.parametrize("kind", ODD)
def test_no_byte_of_the_lines_changes(kind, tmp_path):
    content = ODD[kind]
    result = with_new(tmp_path / "a.srt", content)
    start = next(
        at for at in range(len(content) + 1) if result[at : at + 1] != content[at : at + 1] or at == len(content)
    )
    cuts = [at for at in range(start + 1) if result.endswith(content[at:]) and result.startswith(content[:at])]
    assert cuts, "the file is what it was, with one piece more"
    encoding = "utf-16-le" if kind == "utf-16" else "latin-1"
    assert "[dog barking]".encode(encoding) in result


@pytest.mark.parametrize(
    "kind",
    [kind for kind in ODD if kind not in ("utf-16", "latin-1", "cr", "no blank line", "no number", "short times")],
)
def test_a_subrip_parser_reads_the_new_cue_in_its_place(kind, tmp_path):
    srt = pytest.importorskip("srt")
    before = list(srt.parse(ODD[kind].decode("utf-8-sig").replace("\r\n", "\n")))
    after = list(srt.parse(with_new(tmp_path / "a.srt", ODD[kind]).decode("utf-8-sig").replace("\r\n", "\n")))
    assert [cue for cue in after if cue.content != "[dog barking]"] == before
    assert [cue.content for cue in after].index("[dog barking]") == 1


def test_new_cues_have_new_numbers_where_there_are_any(tmp_path):
    assert with_new(tmp_path / "a.srt", ODD["plain"]).decode() == FIRST + CUE + SECOND
    unnumbered = with_new(tmp_path / "a.srt", ODD["no number"]).decode()
    assert re.findall(r"^\d+$", unnumbered, re.MULTILINE) == []


def test_blank_lines_that_are_missing_are_added_around_new_cues(tmp_path):
    result = with_new(tmp_path / "a.srt", ODD["no blank line"]).decode()
    assert "Hello\n\n3\n00:00:04,000 --> 00:00:05,000\n[dog barking]\n\n2\n00:00:06,000" in result
    path = tmp_path / "a.srt"
    path.write_bytes(ODD["no end"])
    late = read_subtitles(path).with_cues([Cue(9000, 10_000, "[dog]")])
    assert late == ODD["no end"] + b"\n\n3\n00:00:09,000 --> 00:00:10,000\n[dog]\n\n"


VTT = (
    "WEBVTT - a film\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE a line\n\n"
    "intro\n00:01.000 --> 00:03.000 align:start\nHello &amp; goodbye\n\n00:00:06.000 --> 00:00:08.000\nWorld\n"
)


def test_webvtt_keeps_its_head_styles_and_names(tmp_path):
    webvtt = pytest.importorskip("webvtt")
    path = tmp_path / "a.vtt"
    path.write_text(VTT)
    content = read_subtitles(path).with_cues([Cue(0, 1000, "[r & b]"), NEW]).decode()
    assert (
        content.replace("00:00:00.000 --> 00:00:01.000\n[r &amp; b]\n\n", "").replace(
            "00:00:04.000 --> 00:00:05.000\n[dog barking]\n\n", ""
        )
        == VTT
    )
    cues = list(webvtt.from_buffer(io.StringIO(content)))
    assert [cue.raw_text for cue in cues] == ["[r &amp; b]", "Hello &amp; goodbye", "[dog barking]", "World"]
    assert [cue.identifier for cue in cues] == [None, "intro", None, None]


def test_a_file_without_cues_takes_some(tmp_path):
    assert with_new(tmp_path / "a.srt", b"").decode() == CUE.replace("3\n", "1\n", 1)
    assert with_new(tmp_path / "a.vtt", b"WEBVTT").decode().startswith("WEBVTT\n\n00:00:04.000 --> 00:00:05.000\n")


@pytest.mark.parametrize("content", [b"[Script Info]\nTitle: x\n", b"RIFF\x00\x00\x00\x00WAVE", b"hello"])
def test_what_holds_no_cue_is_refused(content, tmp_path):
    (tmp_path / "a.srt").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.srt: no line with the times of a cue was found"):
        read_subtitles(tmp_path / "a.srt")
