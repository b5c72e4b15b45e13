"""`cedtag distill`: stores that do not depend on how they were made, and a sentence for what cannot be stored."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cedtag.distill import data as distill_data
from cedtag.distill.store import DistillStore
from tests.micro import CHECKPOINT, micro_checkpoint
from tests.programs import command_of

STORE = ["distill", "store", "clips", "-m", str(CHECKPOINT), "--epochs", "2", "-k", "5"]
NUM_CLIPS = 12
RUN = "import sys\nfrom cedtag.cli import main\nsys.exit(main())"


def write_clips(folder: Path, count: int, samples: int = 8_000) -> None:
    rng = np.random.default_rng(3)
    for number in range(count):
        place = folder / f"{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{number:03}.wav", 0.1 * rng.standard_normal(samples + 10 * number), 16_000)


@pytest.fixture
def clips(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with short recordings in `clips/`, of which four make a part."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(distill_data, "BLOCK_CLIPS", 4)
    write_clips(tmp_path / "clips", NUM_CLIPS)
    return tmp_path / "clips"


def content(store: str | Path) -> dict[str, bytes]:
    """Everything in a folder that is not hidden."""
    files = [path for path in Path(store).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def info(cedtag, store: str) -> dict[str, Any]:
    shown = cedtag("distill", "info", store, "-f", "json")
    assert shown.code == 0, shown.stderr
    return json.loads(shown.stdout)


def test_jobs_threads_shards_and_listing_change_no_byte(cedtag, clips):
    assert cedtag(*STORE, "-o", "one", "-j", 1, "--threads", 1).code == 0
    assert cedtag(*STORE, "-o", "two", "-j", 2, "--threads", 3).code == 0
    assert sorted(content("one")) == ["store.json", *(f"views/{part:08}.parquet" for part in range(3))]
    assert content("one") == content("two")
    for shard in range(1, 5):
        assert cedtag(*STORE, "-o", f"shard{shard}", "--shard", f"{shard}/4").code == 0
        shutil.copytree(f"shard{shard}", "merged", dirs_exist_ok=True)
    assert len(content("shard4")) == 1  # there are three parts
    assert content("merged") == content("one")
    assert cedtag(*STORE, "-o", "merged").stderr == (
        "cedtag: merged: 12 recordings done earlier; nothing was left to do\n"
    )


def test_a_manifest_without_labels_names_the_same_clips(cedtag, clips):
    names = sorted(path.relative_to(clips).as_posix() for path in clips.rglob("*.wav"))
    Path("clips/data.csv").write_text("file\n" + "\n".join(reversed(names)) + "\n")
    assert cedtag(*STORE, "-o", "folder").code == 0
    manifest = cedtag(*("clips/data.csv" if word == "clips" else word for word in STORE), "-o", "manifest")
    assert manifest.code == 0, manifest.stderr
    for one, other in zip(DistillStore("folder").clips(), DistillStore("manifest").clips(), strict=True):
        assert (one.clip.name, one.checksum, one.recording) == (other.clip.name, other.checksum, other.recording)
        assert one.values.tolist() == other.values.tolist()


def test_the_views_of_a_clip_do_not_change_when_others_are_added(cedtag, clips):
    assert cedtag(*STORE, "-o", "before").code == 0
    write_clips(clips / "0", 1, 9_000)
    assert cedtag(*STORE, "-o", "after").code == 0
    after = {one.clip: one for one in DistillStore("after").clips()}
    for one in DistillStore("before").clips():
        assert one.checksum == after[one.clip].checksum
        assert one.indices.tolist() == after[one.clip].indices.tolist()
        assert one.values.tolist() == after[one.clip].values.tolist()


def test_long_recordings_are_cut_as_windows_are(cedtag, sounds):
    done = cedtag("distill", "store", "sounds", "-o", "store", "--chunk", 5, "--epochs", 1)
    assert done.code == 3
    assert "cedtag: left out: b/short.wav: 0.10 s of audio from second 0 on; a clip must last one patch, 0.16 s\n" in (
        done.stderr
    )
    assert [(one.clip.name, one.clip.start, one.clip.stop) for one in DistillStore("store").clips()] == [
        ("a.wav", 0, 80_000),
        ("a.wav", 80_000, 160_000),
        ("a.wav", 160_000, 192_000),
        ("b/stereo.flac", 0, 48_000),
        ("c.ogg", 0, 16_000),
    ]


def test_segments_of_a_recording_are_cut_at_their_places(cedtag, sounds):
    Path("segments.csv").write_text(
        "file,start,end\na.wav,3,4\na.wav,0.5,1.5\na.wav,0,\na.wav,3,4\na.wav,11,13\na.wav,30,31\nc.ogg,,\n"
    )
    done = cedtag("distill", "store", "segments.csv", "--audio", "sounds", "-o", "s", "--epochs", 1, "--chunk", 10)
    assert done.code == 3
    assert "left out: a.wav: the clip from 30 s on is empty; 12 s of the recording were decoded\n" in done.stderr
    stored = {one.clip.start: one for one in DistillStore("s").clips() if one.clip.name == "a.wav"}
    assert [(one.clip.start, one.clip.stop) for one in DistillStore("s").clips() if one.clip.name == "a.wav"] == [
        (0, 160_000),
        (160_000, 192_000),
        (8_000, 24_000),
        (48_000, 64_000),
        (176_000, 192_000),
    ]
    samples, _ = soundfile.read("sounds/a.wav", dtype="float32")
    soundfile.write("sounds/part.wav", samples[48_000:64_000], 16_000)
    from cedtag.distill.views import draw_view

    clip = stored[48_000].clip
    view = draw_view(0, clip, 0)
    assert stored[48_000].checksum.is_of(view, 0, clip, view.shifted(samples[48_000:64_000]))


def test_the_mean_of_teachers_and_the_best_classes_are_stored(cedtag, clips, tmp_path):
    other = micro_checkpoint(tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"problem_type": "single_label_classification"}))
    every = [*STORE[:3], "--epochs", "2", "-k", "527"]
    assert cedtag(*every, "-m", CHECKPOINT, "-o", "sigmoid").code == 0
    assert cedtag(*every, "-m", "other", "-o", "softmax").code == 0
    assert cedtag(*every, "-m", CHECKPOINT, "-m", "other", "-o", "both").code == 0
    assert cedtag(*STORE, "-o", "best").code == 0
    stores = [list(DistillStore(name).clips()) for name in ("sigmoid", "softmax", "both", "best")]
    for sigmoid, softmax, both, best in zip(*stores, strict=True):
        assert np.allclose(softmax.values.sum(-1), 1, atol=0.05)
        assert sigmoid.values.sum(-1).min() > 5
        mean = (sigmoid.values.astype(np.float32) + softmax.values.astype(np.float32)) / 2
        assert np.allclose(both.values, mean, atol=1e-3)
        for epoch in range(2):
            assert sorted(best.values[epoch]) == sorted(sigmoid.values[epoch])[-5:]
            assert best.values[epoch].tolist() == sigmoid.values[epoch][best.indices[epoch]].tolist()


def test_a_view_has_the_scores_of_its_shifted_and_masked_clip(cedtag, clips):
    import torch

    from cedtag import CedFeatureExtractor, CedForAudioClassification
    from cedtag.distill.views import draw_view

    assert cedtag(*STORE, "--seed", 9, "-o", "store").code == 0
    model = CedForAudioClassification.from_pretrained(CHECKPOINT)
    extractor = CedFeatureExtractor.from_pretrained(CHECKPOINT)
    for stored in list(DistillStore("store").clips())[:3]:
        samples, _ = soundfile.read(clips / stored.clip.name, dtype="float32")
        for epoch in range(2):
            view = draw_view(9, stored.clip, epoch)
            features = extractor(view.shifted(samples))["input_values"]
            with torch.inference_mode():
                scores = model(view.masked(features[0])[None]).probabilities[0].numpy()
            assert np.allclose(scores[stored.indices[epoch]], stored.values[epoch], atol=1e-3)


def test_info_counts_clips_sizes_and_teachers(cedtag, clips):
    assert cedtag(*STORE, "-o", "store", "--shard", "1/2").code == 0
    found = info(cedtag, "store")
    size = sum(map(len, content("store").values())) - len(content("store")["store.json"])
    expected = {"clips": 8, "epochs": 2, "top_k": 5, "classes": 527, "parts": 2, "missing_parts": 1, "recordings": 12}
    assert expected.items() <= found.items()
    assert found["bytes"] == size
    (teacher,) = found["teachers"]
    assert teacher["name"] == str(CHECKPOINT)
    assert len(teacher["hash"]) == 64
    values = np.concatenate([one.values for one in DistillStore("store").clips()]).astype(float)
    bits = -(values * np.log2(values) + (1 - values) * np.log2(1 - values)).sum(-1).mean()
    assert found["entropy_bits"] == pytest.approx(bits, abs=1e-3)
    shown = cedtag("distill", "info", "store").stdout.decode()
    assert "parts\t2 of 3\n" in shown
    assert "classes kept\t5 of 527\n" in shown


def test_a_broken_recording_costs_itself_and_is_said_and_counted_again(cedtag, clips):
    (clips / "1/bad.wav").write_bytes(b"RIFF")
    whole = (clips / "2/002.wav").read_bytes()
    (clips / "2/002.wav").write_bytes(whole[:9_000])
    done = cedtag(*STORE, "-o", "store")
    assert done.code == 3
    assert "cedtag: failed: 1/bad.wav: " in done.stderr
    assert "cedtag: partial: 2/002.wav: is cut off" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("cedtag: store: 11 recordings done, 1 partial, 1 failed; 12 windows")
    before = content("store")
    again = cedtag(*STORE, "-o", "store")
    assert again.code == 3
    assert again.stderr == (
        "cedtag: store: 11 recordings done earlier, 1 partial earlier, 1 failed earlier; nothing was left to do\n"
    )
    assert content("store") == before
    found = info(cedtag, "store")
    assert (found["clips"], found["failed"], found["partial"]) == (12, 1, 1)
    stopped = cedtag(*STORE, "-o", "fast", "--fail-fast")
    assert stopped.code == 3
    assert stopped.stderr.splitlines()[-1].endswith("--keep-going leaves it out")


def test_what_failed_is_tried_again_when_asked_for(cedtag, clips, monkeypatch):
    unreadable = clips / "1/001.wav"
    moved = unreadable.rename("away.wav")
    unreadable.write_bytes(moved.read_bytes()[: moved.stat().st_size // 2].ljust(moved.stat().st_size, b"\0"))
    good = unreadable.read_bytes()
    unreadable.write_bytes(b"x" * len(good))
    assert cedtag(*STORE, "-o", "store").code == 3
    unreadable.write_bytes(good)
    assert cedtag(*STORE, "-o", "store").code == 3
    assert cedtag(*STORE, "-o", "store", "--retry-failed").code == 0
    assert cedtag(*STORE, "-o", "whole").code == 0
    assert content("store") == content("whole")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-k", "528"], "--top-k 528: the teachers have 527 classes"),
        (["-m", "demo"], "have different classes (527 and 21)"),
        (["--chunk", "20"], "--chunk 20: the teachers take from 0.16 to 10.11 seconds"),
        (["--chunk", "0.1"], "--chunk 0.1: the teachers take from 0.16 to 10.11 seconds"),
        (["-m", "nosuch/place/x"], "nosuch/place/x: no such file or folder"),
        (["--fold", "1"], "fold 1: no example is in it"),
        (["--shard", "3/2"], "--shard 3/2"),
        (["-d", "nosuch"], "--device nosuch: no such device"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_what_cannot_be_stored_is_a_sentence_and_leaves_nothing(cedtag, clips, arguments, sentence):
    done = cedtag(*STORE, "-o", "store", *arguments)
    assert done.code in (1, 2)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("store").exists()


def test_places_that_cannot_be_stores_are_refused(cedtag, clips):
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/notes.txt").touch()
    Path("file").touch()
    assert "empty: no recordings are there" in cedtag(*STORE[:2], "empty", "-o", "store").stderr
    assert "nowhere: no such folder or manifest" in cedtag(*STORE[:2], "nowhere", "-o", "store").stderr
    assert "full: holds other files (notes.txt)" in cedtag(*STORE, "-o", "full").stderr
    assert cedtag(*STORE, "-o", "file").code in (1, 2)
    assert "full: there is no store here" in cedtag("distill", "info", "full").stderr


def test_a_store_is_not_gone_on_with_by_other_settings_or_data(cedtag, clips):
    assert cedtag(*STORE, "-o", "store", "--shard", "1/2").code == 0
    assert "(--seed was 0 and is now 1)" in cedtag(*STORE, "-o", "store", "--seed", 1).stderr
    assert "(--chunk was 10 and is now 5)" in cedtag(*STORE, "-o", "store", "--chunk", 5).stderr
    soundfile.write(clips / "new.wav", np.zeros(8_000), 16_000)
    assert "the recordings were others" in cedtag(*STORE, "-o", "store").stderr
    header = json.loads(Path("store/store.json").read_text())
    Path("store/store.json").write_text(json.dumps(header | {"format": 2}))
    assert "another version of cedtag made this store" in cedtag(*STORE, "-o", "store").stderr
    assert "another version of cedtag made this store" in cedtag("distill", "info", "store").stderr


def test_a_full_disk_is_a_sentence_and_leaves_no_torn_part(cedtag, clips, monkeypatch):
    usual, parts = os.fsync, []

    def fsync(descriptor: int) -> None:
        parts.extend(Path("store/views").glob(".*.part") if Path("store/views").is_dir() else [])
        if len(parts) > 1:
            raise OSError(28, "No space left on device")
        usual(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        done = cedtag(*STORE, "-o", "store")
    assert done.code == 1
    assert done.stderr.splitlines()[-1] == "cedtag: store: cannot write results there (No space left on device)"
    assert [path.name for path in Path("store/views").iterdir()] == ["00000000.parquet"]
    assert cedtag(*STORE, "-o", "store").code == 0
    assert cedtag(*STORE, "-o", "other").code == 0
    assert content("store") == content("other")


def start(store: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command_of(RUN, *STORE, "-o", store, *arguments), stderr=subprocess.PIPE, text=True)


def wait_for_parts(store: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(Path(store).glob("views/0*.parquet"))) < count and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.slow
def test_a_killed_store_goes_on_to_the_same_bytes(cedtag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clips(tmp_path / "clips", 200)
    assert cedtag(*STORE, "-o", "undisturbed").code == 0
    for count in (1, 2):
        killed = start("killed")
        wait_for_parts("killed", count)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert len(content("killed")) < len(content("undisturbed")) == 5
    assert cedtag(*STORE, "-o", "killed").code == 0
    assert content("killed") == content("undisturbed")


@pytest.mark.slow
def test_two_writers_at_once_and_an_interruption_are_said(cedtag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clips(tmp_path / "clips", 200)
    writer = start("store")
    wait_for_parts("store", 1)
    second = cedtag(*STORE, "-o", "store")
    writer.send_signal(signal.SIGINT)
    _, messages = writer.communicate()
    assert second.code == 1
    assert second.stderr == ("cedtag: store: another command is writing this store; wait for it, or name another\n")
    assert writer.returncode == 130
    assert messages == "cedtag: store: stopped; run the same command again to go on\n"
