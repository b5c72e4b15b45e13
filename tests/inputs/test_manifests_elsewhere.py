"""Manifests that name what lies in buckets and archives: the numbers of the same recordings on a disk."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from cedtag.audio import archives
from cedtag.distill.store import DistillStore
from cedtag.system import remote
from tests.fake_bucket import NAME, Bucket, serving
from tests.hisses import write_hisses
from tests.micro import CHECKPOINT

pytest.importorskip("obstore")

TAR = "day.tar!"
TAR_THERE = f"s3://{NAME}/day.tar.gz!"
THERE = f"s3://{NAME}"
SCRATCH = ["--from-config", "small.json", "--crop", "0.3", "0.6", "-b", "4", "--threads", "1"]


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A folder to stand in, with recordings, in `hisses/`, in `day.tar` and in a bucket, and manifests of all four."""
    monkeypatch.chdir(tmp_path)
    write_hisses(tmp_path)
    for name in ("day.tar", "day.tar.gz"):
        with tarfile.open(name, "w:gz" if name.endswith("gz") else "w") as tar:
            tar.add("hisses")
    text = Path("data.csv").read_text()
    for name, root in (("tar", TAR), ("s3", THERE), ("tar-s3", TAR_THERE)):
        Path(f"{name}.csv").write_text(text.replace("\nhisses", f"\n{root}/hisses"))
    kept = {path.as_posix(): path.read_bytes() for path in Path("hisses").rglob("*.wav")}
    with serving(Bucket({**kept, "day.tar.gz": Path("day.tar.gz").read_bytes()})) as it:
        for name, value in it.environment.items():
            monkeypatch.setenv(name, value)
        remote._stores.cache_clear()
        yield it
        remote._stores.cache_clear()
        archives._fetched.clear()


@pytest.mark.parametrize("data", ["tar.csv", "s3.csv", "tar-s3.csv"])
def test_an_evaluation_has_the_measures_of_the_files_here(cedtag, bucket, data):
    def measured(data: str) -> tuple[int, object]:
        done = cedtag("evaluate", data, "-f", "json", "--bootstrap", 0, "--skip-unknown", "-m", "mine")
        assert done.code == 0, done.stderr
        document = json.loads(done.stdout)
        return document["clips"], document["measures"]

    assert cedtag("finetune", "data.csv", "-o", "mine", *SCRATCH, "--epochs", 1).code == 0
    assert measured(data) == measured("data.csv")


@pytest.mark.parametrize("data", ["tar.csv", "s3.csv", "tar-s3.csv"])
def test_a_training_has_the_weights_of_the_files_here(cedtag, bucket, data):
    for name, manifest in (("here", "data.csv"), ("there", data)):
        done = cedtag("finetune", manifest, "-o", name, *SCRATCH, "--epochs", 1)
        assert done.code == 0, done.stderr
    assert Path("there/model.safetensors").read_bytes() == Path("here/model.safetensors").read_bytes()


@pytest.mark.parametrize("data", ["tar.csv", "s3.csv", "tar-s3.csv"])
def test_a_store_of_views_is_trained_on_where_its_recordings_are(cedtag, bucket, data):
    store = ["distill", "store", data, "-m", CHECKPOINT, "-o", "store", "--epochs", 1, "-k", 5]
    assert (cedtag(*store).code, cedtag(*store).code) == (0, 0)
    here = ["distill", "store", "data.csv", "-m", CHECKPOINT, "-o", "here", "--epochs", 1, "-k", 5]
    assert cedtag(*here).code == 0
    digests = [sorted(one.recording.digest for one in DistillStore(name).clips()) for name in ("store", "here")]
    assert digests[0] == digests[1]
    learn = ["distill", "train", "store", "--from-config", "small.json", "--threads", 1, "--epochs", 1]
    done = cedtag(*learn, "--data", data, "-o", "student")
    assert done.code == 0, done.stderr


def test_an_object_that_is_another_one_by_now_is_refused_for_training(cedtag, bucket):
    store = ["distill", "store", "s3.csv", "-m", CHECKPOINT, "-o", "store", "--epochs", 1, "-k", 5]
    assert cedtag(*store).code == 0
    key = "hisses/low/2.wav"
    bucket.objects[key] = bucket.objects[key][:-1] + b"\x55"
    learn = ["distill", "train", "store", "--from-config", "small.json", "--data", "s3.csv", "-o", "student"]
    done = cedtag(*learn)
    assert done.code == 2
    assert f"{THERE}/{key}: is another recording than the one whose clips were stored" in done.stderr
    del bucket.objects[key]
    assert "1 of 12 recordings of the store are not there" in cedtag(*learn).stderr


def test_results_of_a_bucket_are_found_by_the_names_of_a_manifest(cedtag, bucket):
    assert cedtag(f"{THERE}/hisses", "-o", "tags.jsonl", "-k", 0, "-t", 0).code == 0
    done = cedtag("evaluate", "s3.csv", "--scores", "tags.jsonl", "-f", "json", "--bootstrap", 0)
    assert done.code == 0, done.stderr
    assert not any("have no row" in note for note in json.loads(done.stdout)["notes"])


def test_an_object_that_is_not_there_costs_itself(cedtag, bucket):
    del bucket.objects["hisses/low/2.wav"]
    done = cedtag("finetune", "s3.csv", "-o", "mine", *SCRATCH, "--epochs", 1)
    assert done.code == 3
    assert f"failed: {THERE}/hisses/low/2.wav: there is no such object" in done.stderr


@pytest.mark.parametrize("command", [["evaluate"], ["finetune", "-o", "mine"], ["distill", "store", "-o", "mine"]])
@pytest.mark.parametrize("data", [f"s3://{NAME}/hisses/", "https://127.0.0.1/data.csv", "day.tar"])
def test_what_is_no_folder_here_is_one_sentence(cedtag, bucket, command, data):
    name, *rest = [*command[:1], data, *command[1:]] if command[0] != "distill" else [*command[:2], data, *command[2:]]
    done = cedtag(name, *rest)
    assert done.code == 2
    assert f"{data.rstrip('/')}: labelled data is a folder or a manifest here" in done.stderr
    assert not Path("mine").exists()


@pytest.mark.parametrize(
    "secret", ["https://me:pw-of-a-test@127.0.0.1/a.wav", "https://127.0.0.1/a.wav?sig=pw-of-a-test"]
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(cedtag, bucket, secret):
    Path("data.csv").write_text(f"file,labels\n{secret},low\n")
    done = cedtag("evaluate", "data.csv")
    assert done.code == 2
    assert "data.csv, line 2: https://127.0.0.1/a.wav: " in done.stderr
    assert "pw-of-a-test" not in done.stderr


def test_an_archive_that_is_not_there_is_named(cedtag, bucket):
    Path("day.tar").unlink()
    done = cedtag("evaluate", "tar.csv")
    assert done.code == 2
    assert "12 recordings are not there, the first is day.tar!/hisses/low/0.wav" in done.stderr


@pytest.mark.parametrize("named", ["hisses/low/1.wav", "day.tar", f"{THERE}/hisses/low/1.wav", f"{THERE}/day.tar.gz"])
def test_clips_are_cut_out_of_what_lies_elsewhere(cedtag, bucket, named):
    assert cedtag(named, "-o", "tags.jsonl", "-t", 0, "-k", 1).code == 0
    done = cedtag("extract", "tags.jsonl", "-o", "clips", "--max-per-class", 1)
    assert done.code == 0, done.stderr
    assert list(Path("clips").rglob("*.wav"))
