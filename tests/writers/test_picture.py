"""Pictures show what the rows say, of any recording, and say what they cannot show."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("matplotlib")

from cedtag.errors import InputError, MissingPackageError
from cedtag.events.settings import EventSettings
from cedtag.records import FileEnd, FileFailed, SoundEvent, Source, Tag, TagResult
from cedtag.writers import fonts, writer_type
from cedtag.writers.fonts import families_for
from cedtag.writers.picture import (
    MAX_CLASSES,
    PdfWriter,
    PngWriter,
    SvgWriter,
    best_classes,
    draw_recording,
    score_grid,
)
from cedtag.writers.run_info import RunInfo
from cedtag.writers.spectrogram import mel_frequencies_hz, spectrogram
from tests.sounds import bursts, source_of, write

pytestmark = pytest.mark.slow
RUN = RunInfo({}, ())
NOWHERE = Source("nowhere.wav", "nowhere.wav", "nowhere.wav")
BARK, RAIN = Tag(74, "/m/05tny_", "Bark", 0.8), Tag(289, "/m/06mb1", "Rain", 0.25)
HEADS = {PngWriter: b"\x89PNG\r\n", SvgWriter: b"<?xml", PdfWriter: b"%PDF-"}


def windows(source: Source, *tags: tuple[Tag, ...], size: int = 16_000, hop: int = 16_000) -> list[TagResult]:
    return [TagResult(source, i, i * hop, i * hop + size, found) for i, found in enumerate(tags)]


def drawn(rows: list[TagResult | SoundEvent], end: FileEnd | FileFailed, kind: type[PngWriter] = PngWriter) -> bytes:
    out = io.BytesIO()
    writer = kind(out, RUN)
    for result in (*rows, end):
        writer.write(result)
    writer.close()
    return out.getvalue()


@pytest.mark.parametrize("kind", HEADS)
def test_a_picture_has_its_format_and_is_the_same_each_time(tmp_path, kind):
    source = source_of(write(tmp_path / "a $x_y$ \U0001f426\n.wav", bursts(3, 16_000), 16_000))
    rows = windows(source, (BARK, RAIN), (), (replace(BARK, score=0.4),))
    first = drawn(rows, FileEnd(source, 48_000, 3), kind)
    assert first.startswith(HEADS[kind])
    assert drawn(rows, FileEnd(source, 48_000, 3), kind) == first


def test_an_svg_names_the_recording_and_its_classes_best_first(tmp_path):
    source = source_of(write(tmp_path / "a<b&.wav", bursts(2, 16_000), 16_000))
    text = drawn(windows(source, (BARK,), (RAIN,)), FileEnd(source, 32_000, 2), SvgWriter).decode()
    assert "a&lt;b&amp;.wav" in text
    assert text.index(">Bark<") < text.index(">Rain<")


def test_what_cannot_be_drawn_is_said():
    end = FileEnd(NOWHERE, 32_000, 2)
    assert "no spectrogram: nowhere.wav" in drawn(windows(NOWHERE, (BARK,)), end, SvgWriter).decode()
    assert "no tag reached its threshold" in drawn(windows(NOWHERE, ()), end, SvgWriter).decode()
    assert "cannot decode" in drawn([], FileFailed(NOWHERE, "decode", "cannot decode"), SvgWriter).decode()


def test_a_second_recording_and_none_are_refused():
    other = replace(NOWHERE, name="other.wav")
    writer = PngWriter(io.BytesIO(), RUN)
    writer.write(FileEnd(NOWHERE, 16_000, 0))
    with pytest.raises(InputError, match=r"nowhere\.wav and other\.wav"):
        writer.write(FileEnd(other, 16_000, 0))
    with pytest.raises(InputError, match="there is none"):
        PngWriter(io.BytesIO(), RUN).close()


def test_scores_are_the_mean_of_the_windows_that_cover_a_moment():
    rows = windows(NOWHERE, (BARK,), (), size=32_000, hop=16_000)
    grid = score_grid(rows, [BARK, RAIN], 48_000)
    shown = grid[0, [100, grid.shape[1] // 2, -100]]
    assert np.allclose(shown, [0.8, 0.4, np.nan], equal_nan=True)
    assert np.isnan(grid[1]).all()


@given(starts=st.lists(st.integers(0, 10**7), max_size=8), length=st.integers(1, 10**6), total=st.integers(1, 10**7))
def test_every_row_can_be_placed(starts, length, total):
    rows = [TagResult(NOWHERE, 0, min(s, total - 1), min(s + length, total), (BARK,)) for s in sorted(starts)]
    grid = score_grid(rows, [BARK], total)
    assert np.isfinite(grid).any() == bool(starts)
    assert not np.any(grid > 0.8 + 1e-6)


def test_the_best_classes_are_few_and_in_order():
    many = tuple(Tag(i, "", str(i), i / 100) for i in range(1, 41))
    assert [tag.index for tag in best_classes(windows(NOWHERE, many))] == list(range(40, 40 - MAX_CLASSES, -1))


def test_windows_are_framed_where_they_make_events_and_events_where_they_are():
    end = FileEnd(NOWHERE, 64_000, 4)
    by_windows = draw_recording(end, windows(NOWHERE, (BARK,), (BARK,), (), (RAIN,)), EventSettings())
    event = SoundEvent(NOWHERE, 0, 32_000, BARK.index, BARK.mid, BARK.label, 0.8, 0.8)
    by_events = draw_recording(end, [event], EventSettings())
    for figure in (by_windows, by_events):
        (frame,) = figure.axes[1].patches
        assert (frame.get_x(), frame.get_width()) == (0, 2)


@given(sizes=st.lists(st.integers(1, 90_000), min_size=1, max_size=6), max_columns=st.sampled_from([16, 100, 2000]))
def test_a_spectrogram_does_not_depend_on_blocks_and_stays_narrow(sizes, max_columns):
    signal = np.random.default_rng(3).standard_normal(sum(sizes)).astype(np.float32)
    whole = spectrogram([signal], max_columns)
    pieces = spectrogram(np.split(signal, np.cumsum(sizes)[:-1]), max_columns)
    assert np.array_equal(whole.decibels, pieces.decibels)
    assert whole.decibels.shape[1] <= max_columns
    assert whole.duration_s == sum(sizes) / 16_000


def test_a_short_loud_sound_stays_visible_in_a_long_recording():
    quiet, click = np.zeros(16_000 * 60, np.float32), np.zeros(16_000 * 60, np.float32)
    click[8_000:8_160] = np.sin(2 * np.pi * 1000 * np.arange(160) / 16_000)
    found = spectrogram([quiet, click, quiet], 64).decibels
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert abs(column - found.shape[1] * 60.5 / 180) < 2
    assert abs(mel_frequencies_hz(len(found))[row] - 1000) < 100


def test_plot_draws_beside_the_rows(cedtag, sounds):
    done = cedtag("sounds/a.wav", "-f", "csv", "--plot", "pictures/a.png")
    assert done.code == 0
    assert done.stdout == cedtag("sounds/a.wav", "-f", "csv").stdout
    assert Path("pictures/a.png").read_bytes().startswith(HEADS[PngWriter])


def test_plot_refuses_what_it_cannot_do_and_leaves_nothing(cedtag, sounds):
    several = cedtag("sounds", "--plot", "a.png")
    assert (several.code, "--plot draws one recording" in several.stderr) == (2, True)
    assert "pictures are files that end in" in cedtag("sounds/a.wav", "--plot", "a.gif").stderr
    assert "--format png" in cedtag("sounds/a.wav", "-o", "out/", "--plot", "a.png").stderr
    assert [path.name for path in Path().iterdir()] == ["sounds"]


def test_a_folder_takes_a_picture_of_each_recording(cedtag, sounds):
    assert cedtag("sounds/a.wav", "sounds/c.ogg", "-o", "out/", "-f", "svg").code == 0
    assert sorted(path.name for path in Path("out").rglob("*.svg")) == ["a.wav.svg", "c.ogg.svg"]


def test_without_matplotlib_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "cedtag.writers.picture")
    with pytest.raises(MissingPackageError, match=r"-m pip install '?matplotlib"):
        writer_type("png")


def test_a_font_is_found_for_characters_that_the_usual_one_lacks(caplog):
    families, lacking = families_for(["plain", "caf\u00e9", "\u24b6"])
    assert families[0] == "sans-serif"
    assert len(families) == 2
    assert lacking == frozenset()
    assert families_for(["caf\u00e9"]) == (["sans-serif"], frozenset())
    assert caplog.messages == []


@pytest.mark.parametrize("kind", HEADS)
def test_characters_that_no_font_has_are_spelled_out_and_said_once(monkeypatch, caplog, kind):
    monkeypatch.setattr(fonts, "_installed", lambda: [])

    def picture(text: str) -> bytes:
        source = replace(NOWHERE, name=f"{text}.wav")
        row = TagResult(source, 0, 0, 16_000, (replace(BARK, label=text),))
        return drawn([row, SoundEvent(source, 0, 9, 1, "", text, 1, 1)], FileEnd(source, 16_000, 1), kind)

    shown = picture("\u9ce5")
    assert [text.partition(";")[0] for text in caplog.messages] == ["no installed font has \u9ce5"]
    assert ("\u9ce5.wav" in shown.decode()) if kind is SvgWriter else shown == picture("\\u9ce5")
