"""What PyAV decodes: the same sound as from libsndfile, in a child process, and nothing but the file itself."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag.audio import Decoders, audio_file, open_recording
from cedtag.errors import AudioError
from tests.sounds import bursts, decoded, decoded_by, source_of, write, write_av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cedtag.audio.mono import Samples

pytest.importorskip("av")

RATE_HZ = 48_000
SECONDS = 3
LOSSLESS = {"alac.m4a": "alac", "flac.mkv": "flac", "flac.ogg": "flac", "a.tta": "tta", "a.wv": "wavpack"}
LOSSY = {
    "a.m4a": "aac",
    "a.aac": "aac",
    "a.ts": "aac",
    "opus.ogg": "libopus",
    "opus.webm": "libopus",
    "a.mka": "libopus",
    "a.ac3": "ac3",
    "a.wma": "wmav2",
    "mp3.avi": "libmp3lame",
}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as decoders:
        yield decoders


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("av")
    for name, codec in {**LOSSLESS, **LOSSY}.items():
        write_av(folder / name, bursts(SECONDS, RATE_HZ, 2), RATE_HZ, codec)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    return decoded(write(path, bursts(SECONDS, RATE_HZ, 2), RATE_HZ, subtype="FLOAT"))[0]


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_codecs_give_the_samples_of_a_wav(
    decoders: Decoders, recordings: Path, original: Samples, name: str
) -> None:
    samples, problems, warnings = decoded_by(decoders, recordings / name)
    assert (problems, warnings) == ([], [])
    assert len(original) - len(samples) < 2_000  # the encoders here were given whole frames only
    np.testing.assert_allclose(samples[:-200], original[: len(samples) - 200], atol=1e-3)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_codecs_keep_duration_and_sound(
    decoders: Decoders, recordings: Path, original: Samples, name: str
) -> None:
    samples, problems, warnings = decoded_by(decoders, recordings / name)
    assert (problems, warnings) == ([], [])
    assert len(samples) == pytest.approx(len(original), abs=0.1 * 16_000)
    assert np.std(samples) == pytest.approx(np.std(original), rel=0.2)


def test_names_that_are_not_utf_8_reach_the_child(decoders: Decoders, recordings: Path, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.m4a")
    (tmp_path / "a.m4a").write_bytes((recordings / "a.m4a").read_bytes())
    (tmp_path / "a.m4a").rename(name)
    assert len(decoded_by(decoders, name)[0])


def test_a_truncated_file_is_partial(decoders: Decoders, recordings: Path, tmp_path: Path) -> None:
    data = (recordings / "a.wv").read_bytes()
    (tmp_path / "cut.wv").write_bytes(data[: len(data) // 2])
    samples, problems, _ = decoded_by(decoders, tmp_path / "cut.wv")
    assert len(samples) == 16_000
    assert problems[:2] == [
        "decoded 48000 frames: cannot be decoded (Invalid data found when processing input)",
        "decoded 1.00 of 2.99 s",
    ]
    assert problems[2].startswith("is cut off")


def test_without_pyav_one_sentence_says_what_to_install(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_file, "_has_pyav", lambda: False)
    with pytest.raises(AudioError, match=r"a\.m4a: mp4 is decoded by PyAV.* -m pip install '?av"):
        open_recording(source_of(recordings / "a.m4a"))


def test_no_file_makes_another_file_or_a_server_be_read(decoders: Decoders, recordings: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    write(secret, bursts(1, 16_000), 16_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.ts"
        texts = {
            "ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
            "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
            "m3u8 of a file": f"#EXTM3U\n#EXTINF:10,\n{secret}\n",
            "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
            "url": f"[playlist]\nFile1={url}\n",
        }
        mp4 = (recordings / "a.m4a").read_bytes()
        for number, text in enumerate(texts.values()):
            for name in (f"{number}.wav", f"{number}.m4a"):
                (tmp_path / name).write_text(text)
                with pytest.raises(AudioError, match="no audio that cedtag knows"):
                    decoders.open(source_of(tmp_path / name))
        for body in (text.encode() for text in texts.values()):
            disguised = tmp_path / "disguised.m4a"  # looks like an MP4, goes on as something else
            disguised.write_bytes(mp4[:16] + body + mp4[16:])
            with pytest.raises(AudioError):
                decoded_by(decoders, disguised)
        with pytest.raises(TimeoutError):
            server.accept()
