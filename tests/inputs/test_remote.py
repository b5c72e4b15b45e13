"""Recordings in buckets and on web servers: the rows of the same files on a disk, and no secret anywhere."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import soundfile

from cedtag.audio import ranged
from cedtag.system import remote
from tests.fake_bucket import NAME, Bucket, serving
from tests.micro import CHECKPOINT

pytest.importorskip("obstore")


@pytest.fixture
def bucket(sounds, monkeypatch):
    """The recordings of `sounds` below `field/` in a bucket."""
    files = [path for path in sounds.rglob("*") if path.is_file()]
    with serving(Bucket({f"field/{path.relative_to(sounds).as_posix()}": path.read_bytes() for path in files})) as it:
        for name, value in it.environment.items():
            monkeypatch.setenv(name, value)
        remote._stores.cache_clear()
        yield it
        remote._stores.cache_clear()


URL = f"s3://{NAME}/field"


def local_rows(cedtag) -> list[str]:
    return cedtag("sounds", "-f", "csv").stdout.decode().replace("sounds/", "").splitlines()


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
def test_a_prefix_has_the_rows_of_a_folder(cedtag, bucket, url):
    bucket.objects |= {"field/notes.txt": b"x", "field/.hidden.wav": b"x", "field2/other.wav": b"x"}
    done = cedtag(url, "-f", "csv")
    assert done.code == 0
    assert done.stdout.decode().replace(f"{URL}/", "").splitlines() == local_rows(cedtag)


def test_long_lists_come_in_pages(cedtag, bucket):
    bucket.page = 1
    assert cedtag(URL, "-f", "csv").stdout.decode().replace(f"{URL}/", "").splitlines() == local_rows(cedtag)


def test_globs_and_depth_mean_what_they_mean_in_folders(cedtag, bucket):
    def names(*options: str) -> set[str]:
        return {line.split(",")[0] for line in cedtag(URL, "-f", "csv", *options).lines[1:]}

    assert names("--no-recursive") == {f"{URL}/a.wav", f"{URL}/c.ogg"}
    assert names("--include-glob", "*.flac") == {f"{URL}/b/stereo.flac"}
    assert names("--exclude-glob", "b") == {f"{URL}/a.wav", f"{URL}/c.ogg"}


def test_a_run_goes_on_and_a_changed_object_is_read_again(cedtag, bucket):
    assert cedtag(URL, "-o", "tags.csv").code == 0
    before = bucket.sent
    assert "4 recordings done earlier" in cedtag(URL, "-o", "tags.csv").stderr
    assert bucket.sent - before < 10_000  # the list alone
    bucket.objects["field/c.ogg"] = bucket.objects["field/b/stereo.flac"]
    assert "1 recording done, 3 done earlier" in cedtag(URL, "-o", "tags.csv").stderr


@pytest.mark.parametrize("faults", [[503, 500], [429], ["reset"], ["cut"], ["cut", 503, "reset"]])
def test_what_passes_is_tried_again(cedtag, bucket, faults):
    bucket.faults = list(faults)
    done = cedtag(f"{URL}/a.wav", "-f", "csv")
    assert done.code == 0, done.stderr
    assert bucket.faults == []
    assert done.lines[1:] == [f"{URL}/{line}" for line in local_rows(cedtag)[1:] if line.startswith("a.wav")]


def test_an_object_that_changes_while_it_is_read_costs_itself(cedtag, bucket, monkeypatch):
    monkeypatch.setattr(remote, "RANGE_BYTES", 100_000)
    bucket.faults = ["whole", "change"]
    done = cedtag(URL, "-f", "csv", "-j", "1")
    assert done.code == 3
    assert f"failed: {URL}/a.wav: has changed while it was read\n" in done.stderr
    assert any(line.startswith(f"{URL}/c.ogg") for line in done.lines)


def test_an_object_is_read_once_in_ranges(cedtag, bucket, monkeypatch):
    monkeypatch.setattr(remote, "RANGE_BYTES", 50_000)
    size = len(bucket.objects["field/a.wav"])
    assert cedtag(f"{URL}/a.wav", "-f", "csv").code == 0
    assert size <= bucket.sent <= 1.02 * size


@pytest.mark.parametrize("missing", [f"{URL}/none.wav", f"s3://{NAME}/nothing/"])
def test_what_is_not_there_is_said(cedtag, bucket, missing):
    done = cedtag(missing)
    assert done.code in (3, 4)
    assert "there is no such object" in done.stderr or "no audio found" in done.stderr


def test_refused_access_names_no_secret(cedtag, bucket, tmp_path):
    bucket.denies = True
    done = cedtag(URL, "-o", "tags.csv", "--errors", "errors.jsonl", "--summary", "summary.json", "-v")
    assert done.code == 3
    assert f"{URL}: access is denied; see the credentials in the environment or the profile" in done.stderr
    written = done.stderr.encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"of-a-test" not in written


def test_credentials_come_from_a_profile_too(cedtag, bucket, tmp_path, monkeypatch):
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = wrong\n[field]\naws_access_key_id = from-profile\naws_secret_access_key = s\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "field")
    remote._stores.cache_clear()
    assert cedtag(f"{URL}/c.ogg", "-f", "csv").code == 0
    assert all("Credential=from-profile/" in sent for _, _, sent in bucket.requests)


def test_a_full_temporary_folder_is_said_and_no_fault_of_the_bucket(cedtag, bucket, monkeypatch):
    def full(url: str, file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(remote, "_fetch", full)
    done = cedtag(f"{URL}/a.wav")
    assert done.code == 3
    assert "(No space left on device); set TMPDIR to a folder with more room" in done.stderr


def test_a_file_on_a_web_server_is_one_recording(cedtag, bucket):
    url = f"http://127.0.0.1:{bucket.port}/field/a.wav"
    done = cedtag(url, "-f", "csv")
    assert done.code == 0
    assert done.lines[1].startswith(f"{url},0.000,")
    assert {sent for _, _, sent in bucket.requests} == {""}


def test_a_tar_in_a_bucket_is_fetched_once(cedtag, bucket, sounds):
    with tarfile.open("a.tar.gz", "w:gz") as tar:
        tar.add("sounds/a.wav", "a.wav")
        tar.add("sounds/c.ogg", "c.ogg")
    bucket.objects["field/a.tar.gz"] = content = (sounds.parent / "a.tar.gz").read_bytes()
    done = cedtag(f"{URL}/a.tar.gz", "-f", "csv")
    assert done.code == 0
    assert {line.split(",")[0] for line in done.lines[1:]} == {f"{URL}/a.tar.gz!/a.wav", f"{URL}/a.tar.gz!/c.ogg"}
    assert bucket.sent <= 1.02 * len(content)


def test_results_are_not_written_to_a_bucket(cedtag, bucket):
    done = cedtag("sounds", "-o", f"{URL}/tags.csv")
    assert done.code == 2
    assert f"--output {URL}/tags.csv: results are written to files here; name one, and copy it there" in done.stderr


def test_without_obstore_a_url_is_one_sentence(sounds):
    command = [sys.executable, "-m", "tests.blocked", "obstore", URL, "-m", CHECKPOINT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "what lies behind a URL needs obstore, which is not installed: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def long_objects(bucket, monkeypatch):
    """Objects of a bucket that all count as long, and are read in blocks of 20,000 bytes."""
    monkeypatch.setattr(ranged, "FROM_BYTES", 1000)
    monkeypatch.setattr(remote, "BLOCK_BYTES", 20_000)
    monkeypatch.setattr(remote, "_fetch", lambda url, file: pytest.fail(f"{url} was fetched whole"))
    return bucket


def noise(form: str, **options: str) -> bytes:
    out = io.BytesIO()
    samples = np.random.default_rng(3).standard_normal(320_000) / 10
    soundfile.write(out, samples, 16_000, format=form, **options)
    return out.getvalue()


CONTAINERS = {
    "n.wav": noise("WAV"),
    "float.wav": noise("WAV", subtype="FLOAT"),
    "rf64.wav": noise("RF64"),
    "n.w64": noise("W64"),
    "n.aiff": noise("AIFF"),
    "n.caf": noise("CAF"),
    "n.au": noise("AU"),
    "n.flac": noise("FLAC"),
    "unfinished.wav": noise("WAV")[:40] + bytes(4) + noise("WAV")[44:],
    "junk.wav": noise("WAV") + bytes(range(1, 200)) * 300,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_long_object_is_read_in_ranges_once_with_the_rows_of_the_file(cedtag, long_objects, tmp_path, name):
    (tmp_path / name).write_bytes(CONTAINERS[name])
    long_objects.objects[f"field/{name}"] = CONTAINERS[name]
    here = cedtag(name, "-f", "csv")
    there = cedtag(f"{URL}/{name}", "-f", "csv", "-v")
    assert (there.code, there.lines[1:]) == (here.code, [f"{URL}/{line}" for line in here.lines[1:]])
    # What follows the audio is looked at, twice, and the end of a FLAC file again, which real blocks hold still.
    again = {"junk.wav": 2 * remote.BLOCK_BYTES, "n.flac": 1.5 * (1 << 18)}.get(name, 0)
    assert len(CONTAINERS[name]) <= long_objects.sent <= 1.02 * len(CONTAINERS[name]) + again


@pytest.mark.parametrize("name", ["c.ogg", "n.mp3"])
def test_a_long_object_that_is_read_twice_is_fetched_first(cedtag, long_objects, tmp_path, name):
    long_objects.objects["field/n.mp3"] = content = noise("MP3")
    (tmp_path / "sounds/n.mp3").write_bytes(content)
    done = cedtag(f"{URL}/{name}", "-f", "csv")
    assert done.code == 0, done.stderr
    assert done.lines[1:] == [f"{URL}/{line}" for line in local_rows(cedtag)[1:] if line.startswith(name)]
    assert long_objects.sent <= 1.02 * len(long_objects.objects[f"field/{name}"])


@pytest.mark.parametrize("faults", [[503, "cut", "reset", 429], ["whole", "whole", "cut", 500]])
def test_what_passes_is_tried_again_in_ranges_too(cedtag, long_objects, faults):
    long_objects.faults = list(faults)
    done = cedtag(f"{URL}/a.wav", "-f", "csv")
    assert done.code == 0, done.stderr
    assert long_objects.faults == []
    assert done.lines[1:] == [f"{URL}/{line}" for line in local_rows(cedtag)[1:] if line.startswith("a.wav")]


@pytest.mark.parametrize("name", ["a.wav", "b/stereo.flac"])
def test_a_long_object_that_changes_while_it_is_read_is_partial_up_to_there(cedtag, long_objects, name):
    long_objects.faults = ["whole"] * 12 + ["change"] * 20
    done = cedtag(f"{URL}/{name}", "-f", "csv", "--errors", "errors.jsonl")
    assert done.code == 3
    assert "has changed while it was read" in done.stderr
    assert "From cffi callback" not in done.stderr
    assert "decoded " in done.stderr


@pytest.mark.parametrize("faults", [["change"], ["whole", "change"], ["whole", "whole", "change"]])
def test_a_long_object_that_changes_at_once_fails(cedtag, long_objects, faults):
    long_objects.faults = list(faults)
    done = cedtag(f"{URL}/a.wav", "-f", "csv")
    assert done.code == 3
    assert "has changed while it was read" in done.stderr


def test_a_long_object_that_is_cut_off_is_partial(cedtag, long_objects):
    long_objects.objects["field/a.wav"] = long_objects.objects["field/a.wav"][:200_000]
    done = cedtag(f"{URL}/a.wav", "-f", "csv")
    assert done.code == 3
    assert "is cut off: 199956 of 384000 bytes of audio are there" in done.stderr


def test_of_a_long_object_few_blocks_are_kept(long_objects):
    content = remote.RangedObject(f"{URL}/a.wav")
    whole = b""
    while part := content.read(len(whole), 7_000):
        whole += part
        assert len(content._blocks) <= 6
    assert whole == long_objects.objects["field/a.wav"]
    content.close()


def test_start_times_in_metadata_cost_a_few_bytes(cedtag, bucket):
    guano = b"GUANO|Version: 1.0\nTimestamp: 2026-03-23T05:30:00Z\n"
    chunk = b"guan" + len(guano).to_bytes(4, "little") + guano + bytes(len(guano) % 2)
    data = noise("WAV", subtype="FLOAT") + chunk
    bucket.objects = {"field/g.wav": data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]}
    done = cedtag(f"{URL}/g.wav", "-f", "csv", "--start-time", "metadata")
    assert "2026-03-23T05:30:00" in done.stdout.decode()
    assert bucket.sent <= len(data) + 4 * (1 << 18)


@pytest.mark.parametrize("user", ["me:pw-of-a-test@", "pw-of-a-test@", ""])
def test_a_url_with_a_secret_is_refused_and_not_repeated(cedtag, bucket, tmp_path, user):
    url = f"http://{user}127.0.0.1:{bucket.port}/field/a.wav{'' if user else '?sig=pw-of-a-test'}"
    done = cedtag(url, "sounds/c.ogg", "-o", "tags.csv", "--errors", "errors.jsonl", "--summary", "summary.json")
    assert done.code == 3
    assert f"failed: http://127.0.0.1:{bucket.port}/field/a.wav: " in done.stderr
    written = done.stderr.encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"pw-of-a-test" not in written
    assert bucket.requests == []


def test_a_redirect_to_another_host_gets_no_credentials(cedtag, bucket, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-a-test")
    monkeypatch.setattr(remote, "_RETRIES", 0)
    with serving(Bucket(dict(bucket.objects))) as other:
        bucket.moved_to = f"http://localhost:{other.port}"
        for named in (URL, f"{URL}/a.wav"):
            done = cedtag(named, "-f", "csv")
            assert done.code == 3
            assert "could not be read" in done.stderr
        assert other.requests == []


@pytest.mark.parametrize("faults", [[], ["whole", "cut"], ["whole", "reset", 503, "cut"]])
@pytest.mark.parametrize("is_long", [False, True])
def test_a_server_without_ranges_gives_whole_files(cedtag, bucket, monkeypatch, faults, is_long):
    bucket.gives_ranges, bucket.faults = False, list(faults)
    monkeypatch.setattr(ranged, "FROM_BYTES", 1000 if is_long else 1 << 40)
    done = cedtag(f"http://127.0.0.1:{bucket.port}/field/a.wav", "-f", "csv", "--start-time", "metadata")
    assert done.code == 0, done.stderr
    here = cedtag("sounds/a.wav", "-f", "csv", "--start-time", "metadata")
    assert done.stdout.decode().partition("a.wav")[2] == here.stdout.decode().partition("a.wav")[2].replace(
        "sounds", f"http://127.0.0.1:{bucket.port}/field"
    )
