"""What a user meets where a package of an extra is missing: one sentence with the command, and a way on from there."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from cedtag.audio import audio_file
from cedtag.system import extras
from tests.archive import StubScorer, stub_tagger


@pytest.fixture
def load_tagger():
    return stub_tagger(StubScorer())


@pytest.fixture
def without_pyav(monkeypatch):
    monkeypatch.setattr(audio_file, "_has_pyav", lambda: False)


@pytest.fixture
def phone(tmp_path, monkeypatch) -> Path:
    """A folder to stand in, with 8 recordings of a phone in `phone/`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "phone"
    folder.mkdir()
    for number in range(8):
        with av.open(folder / f"{number}.m4a", "w") as out:
            stream = out.add_stream("aac", rate=16_000, layout="mono")
            samples = np.random.default_rng(number).standard_normal((1, 16_000)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(0.1 * samples, format="fltp", layout="mono")
            frame.rate = 16_000
            for packet in (*stream.encode(frame), *stream.encode()):
                out.mux(packet)
    return folder


def test_many_files_that_need_one_package_are_one_sentence_with_their_count(cedtag, phone, without_pyav):
    done = cedtag("phone", "-o", "tags.csv", "--errors", "errors.jsonl")
    first, *rest = done.stderr.splitlines()
    assert done.code == 3
    what = "cedtag: failed: phone/0.m4a: mp4 is decoded by PyAV, which is not installed: "
    assert first.startswith(what)
    command = shlex.split(first.removeprefix(what))
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[4].startswith("av>=")
    assert rest == [
        "cedtag: tags.csv: 8 recordings failed",
        "cedtag: failed: phone/0.m4a, phone/1.m4a, phone/2.m4a and 5 more; reasons: errors.jsonl",
        "cedtag: 8 of them need PyAV; once it is installed, the same command reads them",
    ]
    failures = [json.loads(line) for line in Path("errors.jsonl").read_text().splitlines()]
    assert [failure["stage"] for failure in failures] == ["missing"] * 8


def test_after_the_installation_the_same_command_reads_the_files(cedtag, phone, monkeypatch):
    everything = ["phone", "-o", "tags.csv", "--errors", "errors.jsonl"]
    with monkeypatch.context() as context:
        context.setattr(audio_file, "_has_pyav", lambda: False)
        assert cedtag(*everything).code == 3
        size = Path("tags.csv.journal").stat().st_size
        assert cedtag(*everything).code == 3
        assert Path("tags.csv.journal").stat().st_size == size
    done = cedtag(*everything)
    assert (done.code, done.stderr.partition(";")[0]) == (0, "cedtag: tags.csv: 8 recordings done")
    assert not Path("errors.jsonl").read_text()
    made = Path("tags.csv").read_bytes()
    assert cedtag("phone", "-o", "undisturbed.csv").code == 0
    assert made == Path("undisturbed.csv").read_bytes()
    assert cedtag(*everything).stderr == "cedtag: tags.csv: 8 recordings done earlier; nothing was left to do\n"


def test_files_of_a_folder_output_are_made_after_the_installation(cedtag, phone, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(audio_file, "_has_pyav", lambda: False)
        assert cedtag("phone", "-o", "labels/", "-f", "audacity").code == 3
    assert cedtag("phone", "-o", "labels/", "-f", "audacity").code == 0
    assert len(list(Path("labels").glob("*.txt"))) == 8


def test_results_of_a_file_that_has_changed_stay_while_its_decoder_is_missing(cedtag, phone, monkeypatch):
    assert cedtag("phone/0.m4a", "-o", "tags.csv").code == 0
    before = Path("tags.csv").read_bytes()
    (phone / "0.m4a").touch()
    with monkeypatch.context() as context:
        context.setattr(audio_file, "_has_pyav", lambda: False)
        done = cedtag("phone/0.m4a", "-o", "tags.csv")
    assert (done.code, Path("tags.csv").read_bytes()) == (3, before)
    assert cedtag("phone/0.m4a", "-o", "tags.csv").code == 0


@pytest.mark.parametrize(
    ("args", "package"),
    [
        (["phone", "-o", "x.parquet"], "pyarrow"),
        (["phone/0.m4a", "-o", "x.png"], "matplotlib"),
        (["phone/0.m4a", "-o", "x.csv", "--plot", "x.svg"], "matplotlib"),
        (["convert", "rows.csv", "-o", "x.parquet"], "pyarrow"),
        (["evaluate", "labels.csv", "--scores", "rows.csv"], "scikit-learn"),
    ],
)
def test_every_missing_package_is_one_sentence_exit_code_1_and_nothing_written(
    cedtag, phone, monkeypatch, args, package
):
    Path("rows.csv").write_text("file,start,end,rank,index,mid,label,score\n")
    Path("labels.csv").write_text("file,labels\nphone/0.m4a,Speech\n")
    for name in ("pyarrow", "matplotlib", "sklearn", "sklearn.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("parquet", "picture"):
        monkeypatch.delitem(sys.modules, f"cedtag.writers.{name}", raising=False)
    before = sorted(Path().rglob("*"))
    done = cedtag(*args)
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, b"", 1)
    assert "which is not installed: " in done.stderr
    assert package in shlex.split(done.stderr.rpartition(" install ")[2])[0]
    assert sorted(Path().rglob("*")) == before


def test_doctor_finds_two_distributions_that_exclude_each_other(cedtag, monkeypatch):
    monkeypatch.setattr(extras, "installed_distributions", lambda: ["cedtag", "cedtag-lite"])
    done = cedtag("doctor")
    assert done.code == 1
    assert done.lines[0].startswith("cedtag       FAILED: cedtag and cedtag-lite are both installed")


def test_doctor_lists_every_extra_with_its_command(cedtag, monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda package: package not in ("pyarrow", "matplotlib"))
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in cedtag("doctor").lines}
    for name in extras.EXTRAS.keys() - {"torch"}:
        if name in ("hoplite", "parquet", "plot", "store", "train"):
            assert lines[name].endswith(extras.install_command(*extras.EXTRAS[name])), name
        else:
            assert "not installed" not in lines[name]
