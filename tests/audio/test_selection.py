"""Of several channels and tracks, what is asked for is scored, and it is said what was taken."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoding, Selection, open_recording, parse_raw_format, read_raw
from cedtag.errors import AudioError, InputError
from tests.sounds import bursts, decoded, source_of, write, write_film

if TYPE_CHECKING:
    from pathlib import Path


def of(channel: str = "mix", track: str | None = None, **options: object) -> Decoding:
    return Decoding(selection=Selection(channel, track), **options)


@pytest.fixture(params=[16_000, 44_100])
def stereo(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, list[Path]]:
    """A recording of two channels with nothing in common, and one of each channel."""
    rate_hz = request.param
    frames = np.hstack([bursts(3, rate_hz), np.flip(bursts(3, rate_hz))])
    paths = [write(tmp_path / f"{i}.wav", frames[:, i], rate_hz) for i in range(2)]
    return write(tmp_path / "both.wav", frames, rate_hz), paths


@pytest.mark.parametrize("isolate", [False, True])
def test_one_channel_is_what_a_recording_of_it_alone_is(stereo: tuple[Path, list[Path]], isolate: bool) -> None:
    both, alone = stereo
    for number, path in enumerate(alone, 1):
        samples, problems, warnings = decoded(both, of(str(number), isolate=isolate))
        np.testing.assert_array_equal(samples, decoded(path)[0])
        assert (problems, warnings) == ([], [f"scored channel {number} of 2"])


@pytest.mark.parametrize("isolate", [False, True])
def test_each_channel_is_what_a_recording_of_it_alone_is(stereo: tuple[Path, list[Path]], isolate: bool) -> None:
    both, alone = stereo
    samples, problems, warnings = decoded(both, of("each", isolate=isolate))
    np.testing.assert_array_equal(samples, np.stack([decoded(path)[0] for path in alone], axis=1))
    assert (problems, warnings) == ([], [])


def test_a_channel_that_is_not_there_is_an_error_of_the_recording(stereo: tuple[Path, list[Path]]) -> None:
    with pytest.raises(AudioError, match="has 2 channels, and no channel 3"):
        decoded(stereo[0], of("3"))
    with pytest.raises(AudioError, match="has 1 channel, and no channel 2"):
        decoded(stereo[1][0], of("2"))
    assert decoded(stereo[1][0], of("1"))[2] == []


def test_a_channel_of_raw_pcm_is_taken_too() -> None:
    raw = parse_raw_format("s16le,16000,2")
    data = np.array([[1, 2]] * 50, "<i2").tobytes()
    for channel, value in (("1", 1), ("2", 2), ("mix", 1.5)):
        recording = read_raw("-", io.BytesIO(data), raw, Selection(channel))
        assert np.concatenate(list(recording.blocks())).tolist() == [value / 32768] * 50


def test_a_channel_that_does_not_cancel_is_no_warning(tmp_path: Path) -> None:
    left = bursts(1, 16_000)
    path = write(tmp_path / "a.wav", np.hstack([left, -left]), 16_000)
    assert decoded(path, of("2"))[2] == ["scored channel 2 of 2"]
    assert decoded(path, of("each"))[2] == []


def test_what_no_audio_has_is_counted_in_each_channel(tmp_path: Path) -> None:
    frames = bursts(1, 16_000, 2)
    frames[5], frames[9, 1] = 1e30, np.nan
    path = write(tmp_path / "a.wav", frames, 16_000, subtype="FLOAT")
    assert decoded(path, of("each"))[1] == ["samples that are not finite or out of any range, read as 0: 3"]
    assert decoded(path, of("1"))[1] == ["samples that are not finite or out of any range, read as 0: 1"]


@pytest.mark.parametrize("text", ["0", "-1", "65", "left", "", "1.5", "٣", "01", "9" * 5000])
def test_channels_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="`channel`"):
        Selection(text)


@pytest.mark.parametrize("text", ["0", "-1", "", "1.5", "e-g", "9" * 5000])
def test_tracks_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="`track`"):
        Selection(track=text)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    pytest.importorskip("av")
    return write_film(tmp_path / "film.mkv")


TRACKS = "1: eng, 2: deu, 3: no language"


@pytest.mark.parametrize(("track", "number"), [("1", 1), ("2", 2), ("3", 3), ("eng", 1), ("deu", 2), ("DEU", 2)])
def test_a_track_is_taken_by_number_or_language(film: Path, track: str, number: int) -> None:
    samples, problems, warnings = decoded(film, of(track=track))
    assert (problems, warnings) == ([], [f"scored track {number} of 3 ({TRACKS})"])
    assert bool(samples.any()) == (number == 2)
    assert len(samples) == 48_000


def test_without_a_choice_a_warning_names_the_tracks(film: Path) -> None:
    _, problems, warnings = decoded(film)
    assert problems == []
    assert warnings == [f"holds 3 sound tracks ({TRACKS}), of which track 1 was scored; it is silent"]


@pytest.mark.parametrize("track", ["4", "fra"])
def test_a_track_that_is_not_there_is_an_error_of_the_recording(film: Path, track: str) -> None:
    with pytest.raises(AudioError, match=f"has no sound track {track}, but {TRACKS}"):
        decoded(film, of(track=track))


def test_recordings_without_tracks_have_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", bursts(1, 16_000), 16_000)
    assert decoded(path, of(track="1"))[1:] == ([], [])
    for track in ("2", "eng"):
        with pytest.raises(AudioError, match=f"no track {track}"):
            open_recording(source_of(path), of(track=track))
