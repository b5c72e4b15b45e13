"""What PyAV decodes: the same sound as from libsndfile, in a child process, and nothing but the file itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cedtag import audio
from cedtag.audio import Decoders, Decoding, open_recording, parse_raw_format
from cedtag.errors import AudioError
from tests.sounds import bursts, heard, source_of, write, write_av

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
    return heard(write(path, bursts(SECONDS, RATE_HZ, 2), RATE_HZ, subtype="FLOAT"))[0]


def heard_by(decoders: Decoders, path: Path | str) -> tuple[Samples, list[str], list[str]]:
    with decoders.open(source_of(path)) as recording:
        return np.concatenate(list(recording.blocks())), recording.problems, recording.warnings


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_codecs_give_the_samples_of_a_wav(
    decoders: Decoders, recordings: Path, original: Samples, name: str
) -> None:
    samples, problems, warnings = heard_by(decoders, recordings / name)
    assert (problems, warnings) == ([], [])
    assert len(original) - len(samples) < 2_000  # the encoders here were given whole frames only
    np.testing.assert_allclose(samples[:-200], original[: len(samples) - 200], atol=1e-3)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_codecs_keep_duration_and_sound(
    decoders: Decoders, recordings: Path, original: Samples, name: str
) -> None:
    samples, problems, warnings = heard_by(decoders, recordings / name)
    assert (problems, warnings) == ([], [])
    assert len(samples) == pytest.approx(len(original), abs=0.1 * 16_000)
    assert np.std(samples) == pytest.approx(np.std(original), rel=0.2)


def test_one_child_serves_one_recording_after_another(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children = []
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: children.append(start(*args, **options)) or children[-1]
    )
    with Decoders() as decoders:
        for name in LOSSLESS:
            heard_by(decoders, recordings / name)
    assert len(children) == 1
    assert children[0].returncode == 0


def test_everything_can_be_decoded_in_children_with_the_same_outcome(tmp_path: Path) -> None:
    good = write(tmp_path / "good.flac", bursts(SECONDS, 44_100, 2), 44_100)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(good.read_bytes()[:50_000])
    anti = write(tmp_path / "anti.wav", np.hstack([bursts(1, 8_000), -bursts(1, 8_000)]), 8_000)
    with Decoders(Decoding(isolate=True)) as decoders:
        for path in (good, cut, anti):
            here, apart = heard(path), heard_by(decoders, path)
            np.testing.assert_array_equal(apart[0], here[0])
            assert apart[1:] == here[1:]
        text = tmp_path / "text.wav"
        text.write_text("words")
        for path in (text, tmp_path / "missing.wav"):
            with pytest.raises(AudioError) as here_error:
                open_recording(source_of(path))
            with pytest.raises(AudioError) as apart_error:
                decoders.open(source_of(path))
            assert str(apart_error.value) == str(here_error.value)
            assert apart_error.value.stage == here_error.value.stage
    raw = Decoding(raw=parse_raw_format("s16le,8000,2"), isolate=True)
    assert len(heard(anti, raw)[0]) == pytest.approx(16_022, abs=20)


def test_names_that_are_not_utf_8_reach_the_child(decoders: Decoders, recordings: Path, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.m4a")
    (tmp_path / "a.m4a").write_bytes((recordings / "a.m4a").read_bytes())
    (tmp_path / "a.m4a").rename(name)
    assert len(heard_by(decoders, name)[0])


def test_a_truncated_file_is_partial(decoders: Decoders, recordings: Path, tmp_path: Path) -> None:
    data = (recordings / "a.wv").read_bytes()
    (tmp_path / "cut.wv").write_bytes(data[: len(data) // 2])
    samples, problems, _ = heard_by(decoders, tmp_path / "cut.wv")
    assert len(samples) == 16_000
    assert problems == [
        "decoded 48000 frames: cannot be decoded (Invalid data found when processing input)",
        "decoded 1.00 of 2.99 s",
    ]


def test_a_crash_costs_its_recording_alone(recordings: Path, tmp_path: Path) -> None:
    long = write(tmp_path / "long.wav", np.zeros((5_000_000, 1), np.float32), 16_000)
    with Decoders(Decoding(isolate=True)) as decoders:
        recording = decoders.open(source_of(long))
        blocks = recording.blocks()
        next(blocks)
        os.kill(recording._child._process.pid, signal.SIGSEGV)  # type: ignore[attr-defined]
        list(blocks)
        assert recording.problems == ["its decoder crashed (SIGSEGV)"]
        recording.close()
        assert len(heard_by(decoders, recordings / "a.m4a")[0])


def test_closing_from_another_thread_ends_a_decoder_that_hangs(recordings: Path) -> None:
    with Decoders() as decoders:
        recording = decoders.open(source_of(recordings / "a.m4a"))
        os.kill(recording._child._process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
        threading.Timer(0.2, recording.close).start()
        started = time.monotonic()
        with pytest.raises(AudioError, match="given up") as caught:
            list(recording.blocks())
        assert caught.value.stage == "timeout"
        assert time.monotonic() - started < 60


def test_children_end_with_their_parent(recordings: Path) -> None:
    program = (
        "import os, sys\n"
        "from cedtag.audio import open_recording\n"
        "from cedtag.records import Source\n"
        "recording = open_recording(Source(sys.argv[1], 'a', 'a'))\n"
        "print(recording._child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, recordings / "a.m4a"], stdout=subprocess.PIPE, check=False)
    pid = int(ended.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if _is_zombie(pid):
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")


def _is_zombie(pid: int) -> bool:
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return status.stdout.startswith("Z")


def test_modules_in_the_current_folder_are_not_run(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("open('was_run', 'w')")
    path = json.dumps([entry for entry in sys.path if entry])
    program = (
        f"import sys, json; sys.path[:] = json.loads({path!r})\n"
        "from cedtag.audio import open_recording\n"
        "from cedtag.records import Source\n"
        "with open_recording(Source(sys.argv[1], 'a', 'a')) as recording:\n"
        "    assert list(recording.blocks())\n"
    )
    subprocess.run([sys.executable, "-c", program, recordings / "a.m4a"], cwd=tmp_path, check=True)
    assert not (tmp_path / "was_run").exists()


def test_a_child_that_died_waiting_costs_no_recording(recordings: Path) -> None:
    with Decoders() as decoders:
        with decoders.open(source_of(recordings / "a.m4a")) as recording:
            list(recording.blocks())
        process = recording._child._process  # type: ignore[attr-defined]
        process.kill()
        process.wait()
        assert len(heard_by(decoders, recordings / "a.m4a")[0])


def test_without_pyav_one_sentence_says_what_to_install(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_has_av", lambda: False)
    with pytest.raises(AudioError, match=r'a\.m4a: mp4 is decoded by PyAV.* pip install "cedtag\[av\]"'):
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
                heard_by(decoders, disguised)
        with pytest.raises(TimeoutError):
            server.accept()
