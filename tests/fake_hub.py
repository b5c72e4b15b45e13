"""A small imitation of the Hugging Face Hub on the loopback interface, with faults.

It answers what the real client asks when it downloads from a model repository: small files at once, large ones by
a redirect to another origin.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

GOOD_TOKEN = "hf_good"
LARGE_BYTES = 100_000


@dataclass
class Fault:
    """What goes wrong with requests whose method and path match, the first `times` times."""

    method: str
    path: str
    times: int = 1_000_000
    status: int = 0  # answer with this status and `headers`
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False  # never answer
    refuse: bool = False  # close the connection without a byte
    keep_bytes: int | None = None  # close it after so many bytes of the body ...
    reset: bool = False  # ... by a TCP reset
    pause_s: float = 0.0  # before every 64 KiB of the body
    corrupt: bool = False  # flip one bit of the body
    etag: str | None = None  # state this in place of the hash
    commit: str | None = None  # state this in place of the commit
    body: bytes | None = None  # send this in place of the file, with `headers`


@dataclass
class Repo:
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: bool = False


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case


class FakeHub:
    """The server: fill it by `add`, spoil it by `fault`, and read in `requests` what was asked of it."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.lists = True  # whether it has the list of a commit's files, as mirrors may not
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.cdn = f"http://localhost:{self._server.server_port}"  # another origin, which must not get the token

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Go away: connections are refused from now on."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo: str, files: Mapping[str, bytes], *, revision: str = "main", gated: bool = False) -> str:
        """Add a commit to the repository, let `revision` mean it, and return its id."""
        content = json.dumps([repo, sorted((name, sha256(data)) for name, data in files.items())])
        commit = hashlib.sha1(content.encode()).hexdigest()
        place = self.repos.setdefault(repo, Repo())
        place.gated = gated
        place.commits[commit] = dict(files)
        place.refs[revision] = commit
        return commit

    def fault(self, fault: Fault) -> None:
        self.faults.append(fault)

    def count(self, method: str, path: str) -> int:
        return sum(one.method == method and re.search(path, one.path) is not None for one in self.requests)

    def next_fault(self, method: str, path: str) -> Fault:
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return Fault(method, path)

    def blob(self, digest: str) -> bytes:
        files = (data for repo in self.repos.values() for files in repo.commits.values() for data in files.values())
        return next(data for data in files if sha256(data) == digest)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: FakeHub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Silence; `FakeHub.requests` is the log."""

    def do_GET(self) -> None:
        hub = self.server.hub
        hub.requests.append(
            Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        )
        self.fault = hub.next_fault(self.command, self.path)
        path = urlsplit(self.path).path
        if self.fault.silent:
            hub.closing.wait()
        elif self.fault.refuse:
            self.cut()
        elif self.fault.status:
            self.send(self.fault.status, b"injected", self.fault.headers)
        elif found := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
            self.send_content(hub.blob(found[1]), {"ETag": f'"{found[1]}"'})
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(*map(unquote, found.groups()))
        elif (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path)) and hub.lists:
            self.send_list(hub.repos[found[1]].commits[found[2]])
        else:
            self.send(404)

    do_HEAD = do_GET

    def resolve(self, name: str, revision: str, file: str) -> None:
        hub = self.server.hub
        repo = hub.repos.get(name)
        if repo is None:
            return self.refuse(401, "RepoNotFound")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self.refuse(404, "RevisionNotFound")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo.gated and token != GOOD_TOKEN:
            return self.refuse(403 if token else 401, "GatedRepo")
        head = {"X-Repo-Commit": self.fault.commit or commit, "Accept-Ranges": "bytes"}
        data = repo.commits[commit].get(file)
        if data is None:
            return self.refuse(404, "EntryNotFound", head)
        if len(data) < LARGE_BYTES:
            return self.send_content(data, {**head, "ETag": f'"{self.fault.etag or git_sha1(data)}"'})
        digest = sha256(data)
        linked = {"X-Linked-Etag": f'"{self.fault.etag or digest}"', "X-Linked-Size": str(len(data))}
        return self.send(302, headers={**head, **linked, "Location": f"{hub.cdn}/cdn/{digest}"})

    def refuse(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        self.send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def send_list(self, files: Mapping[str, bytes]) -> None:
        large = {name: {"lfs": {"oid": sha256(data)}} for name, data in files.items() if len(data) >= LARGE_BYTES}
        entries = [{"path": name, "oid": git_sha1(data), **large.get(name, {})} for name, data in files.items()]
        self.send(200, json.dumps(entries).encode())

    def send_content(self, data: bytes, headers: Mapping[str, str]) -> None:
        if self.fault.body is not None:
            return self.send(200, self.fault.body, {**headers, **self.fault.headers})
        size = len(data)
        if self.fault.corrupt:
            data = data[: size // 2] + bytes([data[size // 2] ^ 1]) + data[size // 2 + 1 :]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self.send(200, data, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or size), size - 1)
        return self.send(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{size}"})

    def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.send_body(body)

    def send_body(self, body: bytes) -> None:
        for start in range(0, len(body), 65_536):
            time.sleep(self.fault.pause_s)
            self.wfile.write(body[: self.fault.keep_bytes][start : start + 65_536])
        if self.fault.keep_bytes is not None:
            time.sleep(0.05)  # let the bytes arrive before the connection goes
            self.cut()

    def cut(self) -> None:
        self.close_connection = True
        if self.fault.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def client_environment(hub: FakeHub, home: Path) -> dict[str, str]:
    """What makes the real client talk to `hub` alone, and keep everything below `home`."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_CACHE": str(home / "cache"),
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "",
        "HF_TOKEN_PATH": str(home / "token"),
        "NO_PROXY": "127.0.0.1,localhost",
        "TRANSFORMERS_OFFLINE": "",
        "XDG_CACHE_HOME": str(home / "xdg"),
    }
