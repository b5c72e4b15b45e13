"""Through the real huggingface_hub client, in the process that cedtag gives it, against an imitation of the Hub."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.cache import Snapshot, Timeouts, snapshot
from cedtag.errors import ModelError
from tests.fake_hub import GOOD_TOKEN, FakeHub, Fault, client_environment, git_sha1, sha256
from tests.programs import command_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.timeout(60), pytest.mark.slow]

REPO = "me/model"
CONFIG = b'{"model_type": "ced"}'
WEIGHTS = random.Random(0).randbytes(1_000_000)
FILES = {"config.json": CONFIG, "preprocessor_config.json": b"{}", "model.safetensors": WEIGHTS}
SOON = Timeouts(stall_s=1.5)
BRISK = Timeouts(pauses_s=(0.1, 0.1))
WEIGHTS_PATH = "/cdn/"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as running:
        for name, value in client_environment(running, tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        running.add(REPO, FILES)
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def error_of(call: Callable[..., object], *args: object, **kwargs: object) -> str:
    with pytest.raises(ModelError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def contents(found: Snapshot) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in found.files}


def leftovers(cache: Path) -> list[Path]:
    return list(cache.rglob("*.incomplete"))


class TestDownloading:
    def test_brings_the_files_of_the_commit(self, server, cache):
        found = snapshot(REPO, cache_dir=cache)
        assert contents(found) == FILES
        assert found.commit == server.repos[REPO].refs["main"]

    def test_asks_for_the_branch_once_and_for_the_commit_from_then_on(self, server, cache):
        commit = snapshot(REPO, cache_dir=cache).commit
        assert server.count("HEAD", "/resolve/main/") == 1
        assert {one.path.split("/")[4] for one in server.requests[1:] if "resolve" in one.path} == {commit}

    def test_tells_how_many_bytes_have_come(self, server, cache):
        server.fault(Fault("GET", WEIGHTS_PATH, pause_s=0.05))
        seen: list[int] = []
        snapshot(REPO, cache_dir=cache, on_progress=seen.append)
        assert seen == sorted(seen)
        assert len(CONFIG) <= seen[0] < seen[-1] <= sum(map(len, FILES.values()))

    @pytest.mark.parametrize("missing", ["preprocessor_config.json", "model.safetensors"])
    def test_does_without_the_files_that_a_repository_need_not_have(self, server, cache, missing):
        files = {**FILES, "pytorch_model.bin": WEIGHTS[::-1]}
        del files[missing]
        server.add("me/other", files)
        found = snapshot("me/other", cache_dir=cache)
        server.close()
        assert snapshot("me/other", cache_dir=cache) == found
        expected = {"config.json", "preprocessor_config.json", "model.safetensors"} - {missing}
        assert set(contents(found)) == expected | ({"pytorch_model.bin"} if missing == "model.safetensors" else set())

    def test_brings_all_files_that_an_index_of_weights_names(self, server, cache):
        parts = {"model-1-of-2.safetensors": WEIGHTS, "model-2-of-2.safetensors": WEIGHTS[::-1]}
        index = json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode()
        files = {"config.json": CONFIG, "preprocessor_config.json": b"{}", "model.safetensors.index.json": index}
        server.add("me/large", files | parts)
        found = snapshot("me/large", cache_dir=cache)
        assert contents(found) == files | parts
        requests = len(server.requests)
        assert snapshot("me/large", cache_dir=cache) == found
        assert len(server.requests) == requests
        (shard,) = (file for file in found.files if file.name == "model-2-of-2.safetensors")
        shard.resolve().write_bytes(WEIGHTS)
        assert contents(snapshot("me/large", cache_dir=cache)) == files | parts

    @pytest.mark.parametrize(
        ("missing", "sentence"),
        [
            ("config.json", "it has no config.json, so it is no CED"),
            ("model.safetensors", "it has no weights (model.safetensors or pytorch_model.bin)"),
        ],
    )
    def test_names_the_file_that_a_repository_lacks(self, server, cache, missing, sentence):
        server.add("me/other", {name: data for name, data in FILES.items() if name != missing})
        assert error_of(snapshot, "me/other", cache_dir=cache).endswith(f"cannot be downloaded: {sentence}")

    def test_imports_nothing_from_the_working_folder(self, server, cache, tmp_path, monkeypatch):
        (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
        monkeypatch.chdir(tmp_path)
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES


class TestCache:
    def test_a_cached_model_sends_no_request_and_needs_no_server(self, server, cache):
        found = snapshot(REPO, cache_dir=cache)
        server.requests.clear()
        code = "from cedtag.checkpoints.cache import snapshot; print(snapshot('me/model').commit)"
        for close in (lambda: None, server.close):
            close()
            assert run_python(code) == f"{found.commit}\n"
        assert server.requests == []

    def test_a_branch_stays_at_its_cached_commit_until_it_is_refreshed(self, server, cache):
        old = snapshot(REPO, cache_dir=cache)
        new_commit = server.add(REPO, {**FILES, "config.json": b"{}"})
        assert snapshot(REPO, cache_dir=cache) == old
        assert snapshot(REPO, cache_dir=cache, refresh=True).commit == new_commit
        assert snapshot(REPO, cache_dir=cache).commit == new_commit
        server.close()
        assert snapshot(REPO, old.commit, cache_dir=cache, refresh=True) == old

    def test_a_refresh_that_fails_half_way_leaves_the_old_commit(self, server, cache):
        old = snapshot(REPO, cache_dir=cache)
        server.add(REPO, {**FILES, "config.json": b"{}", "model.safetensors": WEIGHTS[::-1]})
        server.fault(Fault("GET", WEIGHTS_PATH, status=500))
        message = error_of(snapshot, REPO, cache_dir=cache, refresh=True, patience=BRISK)
        assert message == (
            "me/model is asked for anew and cannot be downloaded: "
            f"{server.url} is in trouble (HTTP 500); try again later"
        )
        assert snapshot(REPO, cache_dir=cache) == old

    @pytest.mark.parametrize("revision", ["v1.0", "refs/pr/1"])
    def test_tags_and_other_refs_can_be_pinned(self, server, cache, revision):
        commit = server.add(REPO, {**FILES, "config.json": b"{}"}, revision=revision)
        found = snapshot(REPO, revision, cache_dir=cache)
        server.close()
        assert found.commit == commit
        assert snapshot(REPO, revision, cache_dir=cache) == found == snapshot(REPO, commit, cache_dir=cache)

    def test_offline_mode_uses_what_is_cached(self, server, cache):
        found = snapshot(REPO, cache_dir=cache)
        assert snapshot(REPO, cache_dir=cache, offline=True, refresh=True) == found

    def test_offline_mode_says_what_helps_when_nothing_is_cached(self, server, cache):
        assert error_of(snapshot, REPO, cache_dir=cache, offline=True) == (
            f"me/model is not in the cache {cache}, and offline nothing is downloaded; "
            "connect to the network and run `cedtag models download me/model`, or run it with --output FOLDER on "
            "another machine, copy FOLDER here and use it with -m FOLDER, or try out the small model in the package "
            "with -m demo"
        )
        assert server.requests == []

    def test_configure_sets_what_the_client_reads_at_its_import(self, server, tmp_path):
        code = (
            "from pathlib import Path; from cedtag.checkpoints import cache as hub\n"
            "hub.configure(offline=True, cache_dir=Path('elsewhere'))\n"
            "from huggingface_hub import constants; print(constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE)"
        )
        assert run_python(code, cwd=tmp_path) == f"True {tmp_path / 'elsewhere'}\n"

    def test_a_file_that_is_missing_from_a_snapshot_is_noticed_and_fetched(self, server, cache):
        found = snapshot(REPO, cache_dir=cache)
        found.weights.resolve().unlink()
        message = error_of(snapshot, REPO, cache_dir=cache, offline=True)
        assert message.startswith(f"me/model is only partly in the cache {cache}, and offline nothing is downloaded;")
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


class TestDamage:
    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    @pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit])
    def test_in_the_cache_is_refused_offline_and_healed_online(self, server, cache, name, damage):
        found = snapshot(REPO, cache_dir=cache)
        file = found.config.with_name(name)
        damage(file)
        stated = {"config.json": git_sha1, "model.safetensors": sha256}[name](FILES[name])
        actual = {"config.json": git_sha1, "model.safetensors": sha256}[name](file.read_bytes())
        message = error_of(snapshot, REPO, cache_dir=cache, offline=True)
        assert message.startswith(
            f"me/model is damaged ({file}: the hash is {actual}, the Hub states {stated})"
            ", and offline nothing is downloaded; connect to the network"
        )
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_on_the_way_is_healed_by_a_second_download(self, server, cache, name):
        path = {"config.json": "/config.json", "model.safetensors": WEIGHTS_PATH}[name]
        server.fault(Fault("GET", path, corrupt=True, times=1))
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES
        assert server.count("GET", path) == 2

    def test_that_comes_twice_is_refused_and_not_left_to_other_programs(self, server, cache):
        server.fault(Fault("GET", WEIGHTS_PATH, corrupt=True))
        message = error_of(snapshot, REPO, cache_dir=cache)
        damaged = bytearray(WEIGHTS)
        damaged[len(damaged) // 2] ^= 1
        assert f"the hash is {sha256(damaged)}, the Hub states {sha256(WEIGHTS)}" in message
        assert server.count("GET", WEIGHTS_PATH) == 2
        assert list(cache.rglob(sha256(WEIGHTS))) == []

    def test_is_looked_for_even_where_the_result_cannot_be_remembered(self, server, cache, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
        found = snapshot(REPO, cache_dir=cache)
        assert snapshot(REPO, cache_dir=cache) == found
        flip_a_bit(found.weights)
        assert "is damaged" in error_of(snapshot, REPO, cache_dir=cache, offline=True)

    def test_is_looked_for_once(self, server, cache, monkeypatch):
        found = snapshot(REPO, cache_dir=cache)
        monkeypatch.setattr(
            "cedtag.checkpoints.checksums._remember_sound", lambda file: pytest.fail(f"{file} was hashed again")
        )
        assert snapshot(REPO, cache_dir=cache) == found


class TestRefusals:
    def test_an_unknown_repository(self, server, cache):
        assert error_of(snapshot, "nobody/nothing", cache_dir=cache) == (
            f"nobody/nothing is not in the cache {cache} and cannot be downloaded: "
            f"{server.url} has no such repository; check the name, or set HF_TOKEN if it is a private one"
        )

    def test_an_unknown_revision(self, server, cache):
        message = error_of(snapshot, REPO, "v9", cache_dir=cache)
        assert message.endswith(f": it has no revision v9; see {server.url}/me/model/commits/main")

    @pytest.mark.parametrize("token", ["", "hf_secret"])
    def test_a_gated_repository(self, server, cache, monkeypatch, token):
        monkeypatch.setenv("HF_TOKEN", token)
        server.add("me/gated", FILES, gated=True)
        message = error_of(snapshot, "me/gated", cache_dir=cache)
        assert message.endswith(
            f": it is gated; accept its terms at {server.url}/me/gated and set HF_TOKEN to a token of yours"
        )

    def test_a_good_token_opens_it_and_goes_to_no_other_host(self, server, cache, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
        server.add("me/gated", FILES, gated=True)
        assert contents(snapshot("me/gated", cache_dir=cache)) == FILES
        carried = {"/cdn/" in one.path: "authorization" in one.headers for one in server.requests}
        assert carried == {True: False, False: True}

    def test_an_invalid_token_is_not_shown(self, server, cache, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        server.fault(Fault("HEAD", "/resolve/", status=401))
        message = error_of(snapshot, REPO, cache_dir=cache)
        assert message.endswith(f": {server.url} refuses access (HTTP 401); set HF_TOKEN to a valid token, or unset it")
        assert "hf_secret" not in message


class TestBadNetwork:
    @pytest.mark.parametrize("first_tries", [1, 2])
    def test_a_cut_download_is_resumed(self, server, cache, first_tries):
        server.fault(Fault("GET", WEIGHTS_PATH, keep_bytes=600_000, times=first_tries))
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES
        ranges = [one.headers.get("range", "") for one in server.requests if "/cdn/" in one.path]
        assert ranges[:2] == ["", "bytes=524288-"]

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("GET", WEIGHTS_PATH, keep_bytes=600_000, reset=True, times=2),
            Fault("GET", WEIGHTS_PATH, refuse=True, times=2),
            Fault("GET", WEIGHTS_PATH, status=503, times=2),
        ],
        ids=["reset", "hang-up", "503"],
    )
    def test_faults_that_pass_cost_only_time(self, server, cache, fault):
        server.fault(fault)
        assert contents(snapshot(REPO, cache_dir=cache, patience=BRISK)) == FILES
        assert leftovers(cache) == []

    def test_a_slow_download_may_take_longer_than_the_limit_for_silence(self, server, cache):
        server.fault(Fault("GET", WEIGHTS_PATH, pause_s=0.25))
        start = time.monotonic()
        assert contents(snapshot(REPO, cache_dir=cache, patience=Timeouts(stall_s=2))) == FILES
        assert time.monotonic() - start > 3

    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            (Fault("HEAD", "/resolve/", status=503), "is in trouble (HTTP 503); try again later"),
            (
                Fault("HEAD", "/resolve/", status=429, headers={"Retry-After": "3600"}),
                "has had too many requests from here (HTTP 429); try again later, or set HF_TOKEN",
            ),
        ],
        ids=["503", "429"],
    )
    def test_a_hub_in_trouble_is_named_at_once(self, server, cache, fault, why):
        server.fault(fault)
        assert error_of(snapshot, REPO, cache_dir=cache).endswith(f" cannot be downloaded: {server.url} {why}")

    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            (
                Fault("HEAD", "/resolve/", refuse=True),
                "cannot be reached (Server disconnected without sending a response)",
            ),
            (Fault("HEAD", "/resolve/", silent=True), "does not answer within 1 s"),
        ],
        ids=["hang-up", "silent"],
    )
    def test_a_hub_out_of_reach_is_named_with_the_ways_out(self, server, cache, fault, why):
        server.fault(fault)
        message = error_of(snapshot, REPO, cache_dir=cache, patience=Timeouts(answer_s=1))
        assert message.endswith(f" cannot be downloaded: {server.url} {why}; {hub.offline_hint(REPO)}")

    def test_a_refused_connection_is_named_with_the_ways_out(self, server, cache):
        server.close()
        message = error_of(snapshot, REPO, cache_dir=cache)
        assert message.endswith(
            f"{server.url} cannot be reached ([Errno 111] Connection refused); {hub.offline_hint(REPO)}"
        )

    @pytest.mark.parametrize("status", [200, 404])
    def test_a_login_page_is_not_taken_for_the_hub(self, server, cache, status):
        server.fault(Fault("HEAD", "/resolve/", status=status))
        message = error_of(snapshot, REPO, cache_dir=cache)
        assert message.endswith(
            f": what answers at {server.url} is not the Hub; check the proxy, the network's login page and HF_ENDPOINT"
        )

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("GET", WEIGHTS_PATH, silent=True),
            Fault("GET", WEIGHTS_PATH, status=429, headers={"Retry-After": "3600"}),
        ],
        ids=["silent", "Retry-After"],
    )
    def test_a_download_that_stalls_is_given_up(self, server, cache, fault):
        server.fault(fault)
        message = error_of(snapshot, REPO, cache_dir=cache, patience=SOON)
        assert message.endswith(" cannot be downloaded: no data has come for 1.5 s; try again later")
        assert leftovers(cache) == []

    def test_a_lock_that_is_never_released_is_given_up(self, server, cache):
        fcntl = pytest.importorskip("fcntl")
        lock = cache / ".locks" / "models--me--model" / f"{sha256(WEIGHTS)}.lock"
        lock.parent.mkdir(parents=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert "no data has come for" in error_of(snapshot, REPO, cache_dir=cache, patience=SOON)
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES


class TestHostileServers:
    @pytest.mark.parametrize(
        "etag",
        ["../../../../outside", "/tmp/outside", "..", ".", "a/b", "..\\..\\outside", "%2e%2e/outside", "C:outside"],
    )
    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_an_etag_that_is_a_path_is_refused_before_anything_is_written(self, server, cache, tmp_path, etag, name):
        server.fault(Fault("HEAD", f"/{name}", etag=etag.replace("/tmp", str(tmp_path))))
        message = error_of(snapshot, REPO, cache_dir=cache)
        assert "the server gives an ETag that is no hash" in message
        assert list(tmp_path.rglob("*outside*")) == []
        assert all(file.read_bytes() != FILES[name] for file in tmp_path.rglob("*") if file.is_file())

    @pytest.mark.parametrize("commit", ["../../../outside", "main", "A" * 40, "0" * 64, "/outside"])
    @pytest.mark.parametrize("path", ["/main/config.json", "/preprocessor_config.json", "/model.safetensors"])
    def test_a_commit_that_is_none_is_refused_before_anything_is_written(self, server, cache, tmp_path, commit, path):
        server.fault(Fault("HEAD", path, commit=commit))
        assert "the server gives a commit that is none" in error_of(snapshot, REPO, cache_dir=cache)
        assert list(tmp_path.rglob("*outside*")) == []

    def test_a_file_that_does_not_exist_leaves_no_trace_outside_either(self, server, cache, tmp_path):
        server.add("me/other", {name: data for name, data in FILES.items() if name != "preprocessor_config.json"})
        server.fault(Fault("HEAD", "/preprocessor_config.json", commit="../../../../outside"))
        assert "the server gives a commit that is none" in error_of(snapshot, "me/other", cache_dir=cache)
        assert list(tmp_path.rglob("*outside*")) == []

    def test_another_commit_than_the_one_that_was_asked_for_is_refused(self, server, cache):
        server.fault(Fault("HEAD", "/model.safetensors", commit="1" * 40))
        assert "model.safetensors is not in its place in the cache" in error_of(snapshot, REPO, cache_dir=cache)

    @pytest.mark.parametrize("etag", ["no-hash", "d41d8cd98f00b204e9800998ecf8427e", "0123-2"])
    def test_weights_are_checked_by_the_list_of_files_where_the_etag_is_no_hash(self, server, cache, etag, caplog):
        server.fault(Fault("HEAD", "/model.safetensors", etag=etag))
        server.fault(Fault("GET", WEIGHTS_PATH, corrupt=True, times=1))
        found = snapshot(REPO, cache_dir=cache)
        assert contents(found) == FILES
        assert caplog.text == ""
        flip_a_bit(found.weights)
        assert f"the Hub states {sha256(WEIGHTS)}" in error_of(snapshot, REPO, cache_dir=cache, offline=True)

    def test_weights_that_differ_from_the_list_are_refused_though_their_etag_fits(self, server, cache):
        flipped = bytearray(WEIGHTS)
        flipped[7] ^= 1
        server.fault(Fault("HEAD", "/model.safetensors", etag=sha256(flipped)))
        server.fault(Fault("GET", WEIGHTS_PATH, body=bytes(flipped)))
        assert f"the Hub states {sha256(WEIGHTS)}" in error_of(snapshot, REPO, cache_dir=cache)

    def test_it_is_said_when_there_is_no_hash_to_check_by(self, server, cache, caplog):
        server.lists = False
        server.fault(Fault("HEAD", "/model.safetensors", etag="no-hash"))
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES
        assert [record.getMessage() for record in caplog.records] == [
            "me/model: the server states no hash of model.safetensors, so nothing could be checked; "
            "compare with a download from elsewhere"
        ]

    def test_a_mirror_without_a_list_is_checked_by_its_etags(self, server, cache, caplog):
        server.lists = False
        server.fault(Fault("GET", WEIGHTS_PATH, corrupt=True, times=1))
        assert contents(snapshot(REPO, cache_dir=cache)) == FILES
        assert caplog.text == ""

    @pytest.mark.parametrize("path", ["/config.json", WEIGHTS_PATH, "/api/"])
    def test_packed_answers_are_not_unpacked(self, server, cache, path):
        bomb = gzip.compress(bytes(300_000_000), 9)
        server.fault(
            Fault("GET", path, body=bomb, status=200 if path == "/api/" else 0, headers={"Content-Encoding": "gzip"})
        )
        message = error_of(snapshot, REPO, cache_dir=cache)
        assert "the server sends packed data (Content-Encoding: gzip)" in message
        assert sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) < 2_000_000

    def test_no_more_is_read_than_was_stated(self, server, cache):
        server.fault(Fault("GET", "/config.json", body=bytes(50_000_000)))
        assert f"the server sends more than {len(CONFIG)} bytes" in error_of(snapshot, REPO, cache_dir=cache)

    def test_a_config_file_of_another_size_than_config_files_is_refused_unread(self, server, cache):
        server.add("me/other", {**FILES, "config.json": bytes(2_000_000)})
        message = error_of(snapshot, "me/other", cache_dir=cache)
        assert "the server states a size of 2000000 bytes, expected 1000000 at most" in message
        assert server.count("GET", "/cdn/") == 0

    @pytest.mark.parametrize(
        "body", [b"[1]", b'{"errors": 3}', b"\xff\xfe", gzip.compress(bytes(100_000_000)), b"{" * 9]
    )
    def test_the_page_of_an_error_is_not_read(self, server, cache, body):
        headers = {"Content-Encoding": "gzip"} if body.startswith(b"\x1f") else {}
        server.fault(Fault("GET", "/config.json", status=503, body=body, headers=headers))
        message = error_of(snapshot, REPO, cache_dir=cache, patience=BRISK)
        assert message.endswith(f"{server.url} is in trouble (HTTP 503); try again later")

    def test_an_answer_that_breaks_off_is_not_called_out_of_reach(self, server, cache):
        server.fault(Fault("GET", "/config.json", keep_bytes=3))
        message = error_of(snapshot, REPO, cache_dir=cache, patience=Timeouts(stall_s=20, pauses_s=()))
        assert f"{server.url} has answered, but the download failed (" in message
        assert "cannot be reached" not in message


class TestEndpoint:
    @pytest.mark.parametrize(
        "address",
        [
            "http://127.0.0.1:99999",
            "http://127.0.0.1:x",
            "http://[::1",
            "ftp://host",
            "host",
            "http://",
            "http://a b",
            "",
            "http://h:0",
        ],
    )
    def test_that_is_no_address_is_one_sentence(self, tmp_path, address):
        done = download(tmp_path, HF_ENDPOINT=address)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith(f"cedtag: HF_ENDPOINT is {address!r}, which is no address")
        assert "Traceback" not in done.stderr

    def test_other_variables_that_cannot_be_used_are_one_sentence(self, tmp_path):
        done = download(tmp_path, HF_HUB_ETAG_TIMEOUT="soon")
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert "check the variables HF_HUB_..." in done.stderr

    @pytest.mark.parametrize("repo", ["me/model", "me/nothing"])
    def test_credentials_in_it_are_never_shown(self, server, tmp_path, repo):
        server.fault(Fault("GET", WEIGHTS_PATH, status=503))
        url = server.url.replace("http://", "http://user:secret@")
        for environment in ({"HF_ENDPOINT": url}, {"HF_ENDPOINT": "http://user:secret@127.0.0.1:1"}):
            done = download(tmp_path, repo, **environment)
            assert done.returncode == 1
            assert "secret" not in done.stdout + done.stderr
            assert "http://***@127.0.0.1:" in done.stderr

    @pytest.mark.parametrize(
        "settings",
        [
            {"HTTP_PROXY": "gopher://x"},
            {"ALL_PROXY": "http://[::1"},
            {"HTTP_PROXY": "http://a:99999"},
            {"ALL_PROXY": "socks5://x"},
        ],
    )
    def test_settings_of_proxies_that_cannot_be_used_are_one_sentence(self, server, tmp_path, settings):
        done = download(tmp_path, **settings, NO_PROXY="")
        assert done.returncode == 1
        assert done.stderr.startswith("cedtag: me/model is not in the cache")
        assert len(done.stderr.splitlines()) == 1


class TestDamagedCache:
    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"../../outside", b"\0" * 40, b""])
    def test_a_branch_that_cannot_be_read_is_fetched_anew(self, server, cache, content):
        found = snapshot(REPO, cache_dir=cache)
        (cache / "models--me--model" / "refs" / "main").write_bytes(content)
        assert "is only partly in the cache" in error_of(snapshot, REPO, cache_dir=cache, offline=True)
        assert snapshot(REPO, cache_dir=cache) == found
        assert snapshot(REPO, cache_dir=cache, offline=True) == found

    def test_a_file_where_a_folder_should_be_is_one_sentence(self, server, cache):
        snapshot(REPO, cache_dir=cache)
        shutil.rmtree(cache / "models--me--model" / "snapshots")
        (cache / "models--me--model" / "snapshots").touch()
        assert "cannot be read" in error_of(snapshot, REPO, cache_dir=cache, offline=True)

    def test_files_of_a_cache_without_links_are_checked_too(self, server, cache, monkeypatch):
        monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
        server.fault(Fault("GET", WEIGHTS_PATH, corrupt=True, times=1))
        found = snapshot(REPO, cache_dir=cache)
        assert not found.weights.is_symlink()
        assert contents(found) == FILES
        flip_a_bit(found.weights)
        assert f"the Hub states {sha256(WEIGHTS)}" in error_of(snapshot, REPO, cache_dir=cache, offline=True)


def download(home: Path, repo: str = REPO, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from cedtag.cli import run; sys.exit(run(['models', 'download', *sys.argv[1:]]))"
    return subprocess.run(
        [sys.executable, "-c", code, repo, "--cache-dir", str(home / "cache")],
        env=os.environ | {"HF_HUB_OFFLINE": "0"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestInterruption:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    def test_ends_the_download_and_removes_its_temporary_file(self, server, cache, how):
        server.fault(Fault("GET", WEIGHTS_PATH, pause_s=0.5))
        code = "from cedtag.checkpoints.cache import snapshot; snapshot('me/model')"
        process = subprocess.Popen(command_of(code), stderr=subprocess.DEVNULL)
        await_(lambda: leftovers(cache) != [])
        process.send_signal(how)
        assert process.wait(10) != 0
        await_(lambda: leftovers(cache) == [])


class TestDisk:
    @pytest.mark.parametrize(
        ("number", "why"),
        [
            (errno.ENOSPC, "the disk is full; make room, or choose another one with --cache-dir"),
            (errno.EACCES, "the cache cannot be used (Permission denied); choose another folder with --cache-dir"),
        ],
    )
    def test_faults_are_told_from_those_of_the_network(self, number, why):
        from cedtag.checkpoints.download_worker import DownloadRequest, explain

        assert explain(OSError(number, os.strerror(number)), DownloadRequest(REPO, "main", "/cache", 1, ())) == why

    def test_a_cache_that_cannot_be_made_is_named(self, server, tmp_path):
        (tmp_path / "file").touch()
        message = error_of(snapshot, REPO, cache_dir=tmp_path / "file")
        assert message.endswith("the cache cannot be used (Not a directory); choose another folder with --cache-dir")


def await_(condition: Callable[[], bool], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run_python(code: str, cwd: Path | None = None) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=20, cwd=cwd
    ).stdout
