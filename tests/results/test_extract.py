"""Clips hold exactly the samples of their recordings."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.cli import run
from cedtag.errors import AudioError, InputError, OutputError
from cedtag.records import FileEnd, SoundEvent, Source, Tag, TagResult
from cedtag.results.clip_settings import ClipSettings
from cedtag.results.extract import Clip, Cut, best_clips, cut_all, named, write_table
from tests.sounds import bursts, write_film

DOG = Tag(69, "/m/0bt9lr", "Dog", 0.75)
SPEECH = Tag(0, "/m/09x0r", "Speech", 0.5)


def source_of(path: Path) -> Source:
    return Source(str(path), path.name, path.name)


def clip_of(path: Path, start: int, stop: int, to: str = "clip.wav") -> Clip:
    return Clip(source_of(path), start, stop, DOG, 1, path.parent / to)


def cut(*clips: Clip, pad_s: float = 0.0) -> list[Cut | AudioError]:
    return list(cut_all(clips, pad_s, Path()))


def recording(path: Path, seconds: float, rate_hz: int, channels: int = 1, **options: object) -> Path:
    soundfile.write(path, bursts(seconds, rate_hz, channels), rate_hz, **options)
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "clip_subtype"),
    [
        ("a.wav", "PCM_U8", "PCM_16"),
        ("a.wav", "PCM_16", "PCM_16"),
        ("a.wav", "PCM_24", "PCM_24"),
        ("a.wav", "FLOAT", "FLOAT"),
        ("a.flac", "PCM_16", "PCM_16"),
        ("a.flac", "PCM_24", "PCM_24"),
        ("a.ogg", "VORBIS", "FLOAT"),
        ("a.mp3", "MPEG_LAYER_III", "FLOAT"),
    ],
)
def test_no_sample_changes(tmp_path, name, subtype, clip_subtype):
    path = recording(tmp_path / name, 3, 44_100, 2, subtype=subtype)
    whole, _ = soundfile.read(path, always_2d=True, dtype="float64")

    assert cut(clip_of(path, 16_001, 32_000)) == [Cut(clip_of(path, 16_001, 32_000), 44_103, 44_097, 44_100)]
    found, rate_hz = soundfile.read(tmp_path / "clip.wav", always_2d=True, dtype="float64")
    assert rate_hz == 44_100
    assert soundfile.info(tmp_path / "clip.wav").subtype == clip_subtype
    np.testing.assert_array_equal(found, whole[44_103:88_200])


def test_integers_stay_the_integers_they_were(tmp_path):
    every = np.arange(-32_768, 32_768, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", every, 16_000)
    for clip in ("clip.wav", "clip.flac"):
        cut(clip_of(tmp_path / "a.wav", 0, len(every), clip))
        found, _ = soundfile.read(tmp_path / clip, dtype="int16")
        np.testing.assert_array_equal(found, every)


def test_fractions_are_rounded_to_24_bits_in_flac(tmp_path):
    path = recording(tmp_path / "a.wav", 1, 16_000, subtype="FLOAT")
    whole, _ = soundfile.read(path)
    cut(clip_of(path, 0, 16_000, "clip.flac"))

    found, _ = soundfile.read(tmp_path / "clip.flac")
    assert soundfile.info(tmp_path / "clip.flac").subtype == "PCM_24"
    np.testing.assert_allclose(found, whole, rtol=0, atol=2**-23)


spans = st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 20_000)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(spans=spans, pad=st.integers(0, 5_000))
def test_clips_may_overlap_and_touch_the_ends(tmp_path_factory, spans, pad):
    folder = tmp_path_factory.mktemp("clips")
    whole = np.arange(60_000, dtype=np.int32).astype(np.int16)
    soundfile.write(folder / "a.wav", whole, 16_000)
    clips = [clip_of(folder / "a.wav", start, start + n, f"{i}.wav") for i, (start, n) in enumerate(spans)]

    outcomes = cut(*clips, pad_s=pad / 16_000)

    assert {outcome.clip for outcome in outcomes} == set(clips)
    for outcome in outcomes:
        first, last = max(0, outcome.clip.start - pad), min(len(whole), outcome.clip.stop + pad)
        assert (outcome.first_frame, outcome.num_frames) == (first, last - first)
        found, _ = soundfile.read(outcome.clip.path, dtype="int16")
        np.testing.assert_array_equal(found, whole[first:last])


def test_the_sound_of_other_containers_is_cut_too(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=48_000, layout="stereo")
        samples = np.ascontiguousarray(bursts(2, 48_000, 2).T)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode()]:
            file.mux(packet)

    (found,) = cut(clip_of(path, 8_000, 24_000))

    assert (found.first_frame, found.num_frames, found.rate_hz) == (24_000, 48_000, 48_000)
    assert soundfile.info(tmp_path / "clip.wav").channels == 2


def test_a_recording_that_fails_costs_its_clips(tmp_path):
    good = recording(tmp_path / "a.wav", 1, 16_000)
    clips = [
        clip_of(tmp_path / "gone.wav", 0, 8_000, "1.wav"),
        clip_of(good, 0, 8_000, "2.wav"),
        clip_of(good, 32_000, 40_000, "3.wav"),
    ]
    outcomes = cut(*clips)

    assert [str(outcome) for outcome in outcomes if isinstance(outcome, AudioError)] == [
        "gone.wav: no such file (or a link that leads nowhere)",
        "a.wav: ends before 1 of its clips begin; is it the same recording?",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.wav", "a.wav"]


def test_a_damaged_end_leaves_no_half_clip(tmp_path):
    path = recording(tmp_path / "a.flac", 4, 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcomes = cut(clip_of(path, 0, 8_000, "1.wav"), clip_of(path, 16_000, 64_000, "2.wav"))

    assert isinstance(outcomes[0], Cut)
    assert isinstance(outcomes[1], AudioError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.wav", "a.flac"]


def test_what_flac_cannot_hold_is_told_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((16_000, 9), np.int16), 16_000)

    with pytest.raises(OutputError, match=r"clip\.flac: cannot be written .* another `audio_format`"):
        cut(clip_of(path, 0, 8_000, "clip.flac"))
    assert [left.name for left in tmp_path.iterdir()] == ["a.wav"]


A, B = (Source(name, name, name) for name in ("a.wav", "b.wav"))


def window(source: Source, index: int, *tags: Tag) -> TagResult:
    return TagResult(source, index, index * 16_000, (index + 1) * 16_000, tags)


def test_the_best_of_each_class_come_first():
    results = [
        window(A, 0, Tag(69, "", "Dog", 0.2), SPEECH),
        window(A, 1, Tag(69, "", "Dog", 0.9)),
        FileEnd(A, 32_000, 2),
        window(B, 0, Tag(69, "", "Dog", 0.9), Tag(0, "", "Speech", 0.1)),
        SoundEvent(B, 5, 10, 69, "", "Dog", 0.95, 0.3),
        FileEnd(B, 16_000, 1),
    ]
    found = [(clip.tag.label, clip.number, clip.tag.score, clip.source.name) for clip in best_clips(results, 2)]

    assert found == [
        ("Speech", 1, 0.5, "a.wav"),
        ("Speech", 2, 0.1, "b.wav"),
        ("Dog", 1, 0.95, "b.wav"),
        ("Dog", 2, 0.9, "a.wav"),
    ]
    assert len(best_clips(results, 0)) == 6
    assert {clip.tag.label for clip in best_clips(results, 1, ["dOG"])} == {"Dog"}
    assert {clip.tag.label for clip in best_clips(results, 1, ["0"])} == {"Speech"}


def test_names_are_made_from_a_template(tmp_path):
    source = Source("x", "in/a: b?.wav", "x")
    clip = Clip(source, 24_000, 40_000, Tag(500, "/m/07p6fty", "Shout / yell", 0.8), 3)

    def path(template: str) -> str:
        return str(named([clip], ClipSettings(tmp_path, name=template))[0].path.relative_to(tmp_path))

    assert path("{label}/{number:03d}_{score:.2f}_{name}_{start:.3f}") == "Shout_yell/003_0.80_a_b__1.500.wav"
    assert path("{mid}-{index}-{end:.1f}") == "m_07p6fty-500-2.5.wav"


ENDLESS = [
    "{label:>3000000000}",
    "{score:.2000000000f}",
    "{number:0100000d}",
    "{label:{number}000000000}",
    "{label!r:>3000000000}",
    "{label:>\u0663\u0663\u0663\u0663\u0663\u0663\u0663\u0663\u0663}",
    "{label.__class__.__mro__}",
    "{label[0]}",
    "{label}\0",
]


@pytest.mark.parametrize(
    "template", ["{what}", "{label", "{}", "../{label}", "/{label}", "{score:d}", "{label.x}", *ENDLESS]
)
def test_templates_that_give_no_name_are_refused(tmp_path, template):
    with pytest.raises(InputError, match="`name`"):
        named([Clip(A, 0, 1, DOG, 1)], ClipSettings(tmp_path, name=template))


def test_two_clips_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"add \{number\}"):
        named([Clip(A, 0, 1, DOG, 1), Clip(A, 1, 2, DOG, 2)], ClipSettings(tmp_path, name="{label}"))


def test_the_table_says_where_each_clip_came_from(tmp_path):
    cuts = [Cut(Clip(A, 0, 1, DOG, 1, tmp_path / "Dog/1.wav"), 22_050, 44_100, 44_100)]
    write_table(tmp_path / "clips.csv", cuts)

    assert (tmp_path / "clips.csv").read_text() == (
        "clip,file,start,end,index,mid,label,score,first_frame,frames,rate\n"
        "Dog/1.wav,a.wav,0.500000,1.500000,69,/m/0bt9lr,Dog,0.7500,22050,44100,44100\n"
    )


ROWS = """file,start,end,rank,index,mid,label,score
in/a.wav,0.000,1.000,1,69,/m/0bt9lr,Dog,0.7500
in/a.wav,0.000,1.000,2,0,/m/09x0r,Speech,0.5000
in/a.wav,1.000,2.000,1,69,/m/0bt9lr,Dog,0.8000
in/b.wav,0.000,1.000,1,69,/m/0bt9lr,Dog,0.1000
"""


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    recording(tmp_path / "in/a.wav", 2, 22_050)
    (tmp_path / "r.csv").write_text(ROWS)
    return tmp_path


def test_extract_cuts_what_the_rows_say_and_goes_on_after_a_failure(archive, capfd):
    assert run(["extract", "r.csv", "-o", "clips", "--pad", "0.25"]) == 3
    assert capfd.readouterr().err.splitlines() == [
        "cedtag: in/b.wav: no such file (or a link that leads nowhere)",
        "cedtag: clips: 3 clips, listed in clips.csv; 1 recordings failed",
    ]
    with (archive / "clips/clips.csv").open() as table:
        rows = [(row["clip"], row["first_frame"], row["frames"]) for row in csv.DictReader(table)]
    assert rows == [
        ("Speech/001_0.50_a_0.000.wav", "0", "27562"),
        ("Dog/001_0.80_a_1.000.wav", "16538", "27562"),
        ("Dog/002_0.75_a_0.000.wav", "0", "27562"),
    ]
    assert all((archive / "clips" / name).exists() for name, _, _ in rows)


def test_extract_takes_labels_formats_names_and_a_root(archive, monkeypatch):
    monkeypatch.chdir(archive / "in")
    options = ["--labels", "dog", "--max-per-class", "1", "-f", "flac", "--name", "{label}_{number}"]

    assert run(["extract", "../r.csv", "-o", "../clips", "--root", "..", *options]) == 0
    assert sorted(path.name for path in (archive / "clips").iterdir()) == ["Dog_1.flac", "clips.csv"]


def test_extract_replaces_nothing_without_being_told(archive, capfd):
    options = ["extract", "r.csv", "-o", "clips", "--max-per-class", "1"]

    assert run(options) == 0
    assert run(options) == 1
    assert "clips/clips.csv: this file exists; use --overwrite" in capfd.readouterr().err
    assert run([*options, "--overwrite"]) == 0


def test_extract_says_when_there_is_nothing_to_cut(archive, capfd):
    assert run(["extract", "r.csv", "-o", "clips", "--labels", "Cat"]) == 2
    assert "nothing to cut" in capfd.readouterr().err


ODD = [b"caf\xe9", "ü".encode() * 60, b"\xff" * 120, b"tab\t and\nline"]


@pytest.mark.parametrize("odd", ODD)
def test_recordings_of_any_name_are_cut(archive, odd, capfd):
    names = [os.fsdecode(odd) + suffix for suffix in (".wav", ".flac")]
    for name, kind in zip(names, ("WAV", "FLAC"), strict=True):
        with Path(name).open("w+b") as out:
            soundfile.write(out, np.zeros(16_000), 16_000, format=kind)
    rows = [{"file": name, "start": 0, "end": 1, "tags": [TAG]} for name in names]
    Path("odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["extract", "odd.jsonl", "-o", "clips", "-f", "flac"]) == 0, capfd.readouterr().err
    clips = list(Path("clips").rglob("*.flac"))
    assert [len(soundfile.read(io.BytesIO(path.read_bytes()))[0]) for path in clips] == [16_000] * 2
    if odd.startswith("ü".encode()):
        assert all(path.name.encode() for path in clips)  # cut between letters


TAG = {"index": 0, "mid": "/m/09x0r", "label": "Speech", "score": 0.9}


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_clip_never_takes_the_place_of_a_recording_or_of_the_results(archive, more, capfd):
    soundfile.write("x.wav", np.zeros(16_000), 16_000)
    Path("clips.csv").write_text("file,start,end,rank,index,mid,label,score\nx.wav,0,1,1,0,/m/09x0r,Speech,0.9\n")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    one = ["--labels", "Dog", "--max-per-class", "1"]
    assert run(["extract", "r.csv", "-o", "in", "--name", "{name}", *one, *more]) == 2
    assert run(["extract", "clips.csv", "-o", ".", *more]) == 2
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert "is an input" in capfd.readouterr().err


@pytest.mark.parametrize("how", ["json", "csv --track deu", "json --track eng"])
def test_the_track_that_was_tagged_is_cut(cedtag, tmp_path, monkeypatch, how):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "film.mkv")
    form, *options = how.split()
    assert cedtag("film.mkv", "--track", "deu", "-k", "1", "-t", "0", "-o", f"r.{form}", "-q").code == 0
    assert cedtag("extract", f"r.{form}", "-o", "clips", "--name", "clip", *options).code == 0
    assert soundfile.read("clips/clip.wav")[0].any() == ("eng" not in options)
