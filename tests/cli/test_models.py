from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fake_hub import FakeHub, client_environment
from tests.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # each command in a process of its own

CONFIG = json.dumps({"model_type": "ced", "depth": 2, "outputdim": 3}).encode()
FILES = {"config.json": CONFIG, "preprocessor_config.json": b"{}", "model.safetensors": bytes(1_230_000)}
VERIFY = "repository\tcommit\tfile\tstate\n"
HEADER = "name\trepository\tparameters_M\tmAP\tsize_MB\tcommit\n"
SMALL_AND_BASE = (
    "small\tmispeech/ced-small\t22\t49.6\t\t\nbase\tmispeech/ced-base\t86\t50\t\t\ndemo\t(in the package)\t\t\t2.5\t\n"
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.chdir(tmp_path)
    with FakeHub() as running:
        for variable, value in client_environment(running, tmp_path).items():
            monkeypatch.setenv(variable, value)
        running.add("mispeech/ced-tiny", FILES)
        yield running


def run(*arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """`cedtag models ARGUMENTS` in a process of its own: the client reads its environment only once."""
    code = "from cedtag.cli.models import command; command()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], input=answer, capture_output=True, text=True, timeout=30
    )


def output(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def last_line(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr.splitlines()[-1]


def test_list_shows_the_published_models_before_anything_is_downloaded(server):
    assert output("list") == (
        f"{HEADER}tiny\tmispeech/ced-tiny\t5.5\t48.1\t\t\nmini\tmispeech/ced-mini\t9.6\t49\t\t\n{SMALL_AND_BASE}"
    )
    assert server.requests == []


def test_list_shows_every_complete_ced_in_the_cache(server):
    commits = [
        server.repos["mispeech/ced-tiny"].refs["main"],
        server.add("me/fine-tuned", FILES),
        server.add("me/bert", {**FILES, "config.json": b'{"model_type": "bert"}'}),
    ]
    output("download", "tiny", "me/fine-tuned", "me/bert")
    assert output("list") == (
        f"{HEADER}tiny\tmispeech/ced-tiny\t5.5\t48.1\t1.2\t{commits[0]}\nmini\tmispeech/ced-mini\t9.6\t49\t\t\n"
        f"{SMALL_AND_BASE}\tme/fine-tuned\t\t\t1.2\t{commits[1]}\n"
    )


def test_download_takes_the_newest_commit_into_the_cache(server, tmp_path):
    output("download", "tiny")
    commit = server.add("mispeech/ced-tiny", {**FILES, "preprocessor_config.json": b"{} "})
    folder = tmp_path / "cache" / "models--mispeech--ced-tiny" / "snapshots" / commit
    assert output("download", "ced-tiny") == f"{folder}\n"
    assert output("path", "tiny") == f"{folder}\n"


def test_download_makes_a_folder_that_another_machine_can_use(server, tmp_path):
    assert output("download", "tiny", "--output", "new/folder") == "new/folder\n"
    folder = tmp_path / "new" / "folder"
    assert {file.name: file.read_bytes() for file in folder.iterdir() if not file.is_symlink()} == FILES
    assert output("path", "./new/folder", "--offline") == "new/folder\n"


def test_download_writes_over_nothing(server, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "config.json").touch()
    assert last_line("download", "tiny", "--output", "full").endswith("full is not empty; choose a new folder")
    assert last_line("download", "tiny", "mini", "-o", "x").endswith("--output x takes one model, not 2")
    assert server.requests == []


def test_download_offline_copies_what_is_cached(server, tmp_path):
    output("download", "tiny", "--cache-dir", "elsewhere")
    server.close()
    output("download", "tiny", "--cache-dir", "elsewhere", "--offline", "-o", "folder")
    assert {file.name: file.read_bytes() for file in (tmp_path / "folder").iterdir()} == FILES
    assert "ced-tiny is not in the cache" in last_line("download", "tiny", "--offline")


def test_path_and_info_download_nothing(server):
    for name in ("path", "info"):
        assert "mispeech/ced-tiny is not in the cache" in last_line(name, "tiny")
    assert server.requests == []


def test_info_describes_a_model(server, tmp_path):
    commit = server.repos["mispeech/ced-tiny"].refs["main"]
    folder = output("download", "tiny").strip()
    assert output("info", "tiny") == (
        f"fact\tvalue\nname\tmispeech/ced-tiny\ncommit\t{commit}\nweights\t{folder}/model.safetensors\nsize_MB\t1.2\n"
        "embed_dim\t192\nnum_heads\t3\ndepth\t2\nn_mels\t64\ntarget_length\t1012\nlabels\t3\n"
    )
    (tmp_path / "old.pt").touch()
    assert "old.pt has no config.json" in last_line("info", "old.pt")


def test_rm_asks_and_removes_only_what_is_named(server, tmp_path):
    output("download", "tiny")
    server.add("mispeech/ced-tiny", {**FILES, "preprocessor_config.json": b"{} "}, revision="v2")
    folder = output("download", "tiny@v2").strip()

    refused = run("rm", "tiny", answer="n\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Remove tiny and free 1.2 MB? [y/N]: ")
    assert output("path", "tiny@v2") == f"{folder}\n"

    assert run("rm", "tiny@main", answer="y\n").returncode == 0
    assert output("path", "tiny@v2") == f"{folder}\n"
    assert output("rm", "tiny", "--yes") == ""
    assert list((tmp_path / "cache").rglob("*.safetensors")) == []
    assert last_line("rm", "tiny", "--yes").endswith("tiny is not in the cache; see `cedtag models list` for what is")


@pytest.mark.parametrize("verb", ["rm", "download"])
def test_local_models_are_neither_removed_nor_downloaded(server, tmp_path, verb):
    (tmp_path / "mine").mkdir()
    assert last_line(verb, "./mine").endswith("./mine is a local folder, not a model on the Hub")


def test_a_terminal_gets_a_table(server):
    lead, follow = pty.openpty()
    code = "from cedtag.cli.models import command; command()"
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", code, "list"], stdout=follow, env=environment, check=True, timeout=30)
    os.close(follow)
    lines = [line.rstrip() for line in os.read(lead, 10_000).decode().splitlines()]
    os.close(lead)
    assert lines == [
        " name   repository          parameters_M  mAP   size_MB  commit",
        " tiny   mispeech/ced-tiny   5.5           48.1",
        " mini   mispeech/ced-mini   9.6           49",
        " small  mispeech/ced-small  22            49.6",
        " base   mispeech/ced-base   86            50",
        " demo   (in the package)                        2.5",
    ]


@pytest.mark.parametrize("columns", [30, 80])
def test_a_terminal_of_any_width_folds_no_word(server, columns):
    folder = Path(output("download", "tiny").strip())
    for command in ("list", "verify"):
        code, shown, _ = on_terminal(
            [sys.executable, "-m", "cedtag", "models", command], columns=columns, env={"TERM": "dumb"}
        )
        words = shown.split()
        assert code == 0
        assert {"mispeech/ced-tiny", folder.name[:12]} <= set(words)
        assert folder.name not in words
        assert max(map(len, shown.splitlines())) < 80


def rot(file: Path) -> None:
    """Change one bit of a file, as a failing disk does: its time and size stay."""
    state, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("links", ["", "1"], ids=["links", "no-links"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_verify_finds_what_rots_in_silence_and_says_how_to_repair_it(server, tmp_path, monkeypatch, name, links):
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", links)
    folder = Path(output("download", "tiny").strip())
    rows = [f"mispeech/ced-tiny\t{folder.name}\t{file}\t" for file in FILES]
    assert output("verify") == output("verify", "tiny") == VERIFY + "".join(f"{row}sound\n" for row in rows)
    rot(folder / name)
    for names in ([], ["tiny"], [f"tiny@{folder.name}"]):
        result = run("verify", *names)
        states = ["damaged" if file == name else "sound" for file in FILES]
        assert result.stdout == VERIFY + "".join(f"{row}{state}\n" for row, state in zip(rows, states, strict=True))
        assert result.returncode == 1
    repair = result.stderr.splitlines()[-1].partition("repair: cedtag models ")[2]
    assert output(*repair.split()) == f"{folder}\n"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert output("verify", "tiny").count("sound") == 3


def test_verify_says_where_nothing_can_be_checked(server, tmp_path):
    folder = Path(output("download", "tiny").strip())
    for file in FILES:
        content = (folder / file).read_bytes()
        (folder / file).unlink()
        (folder / file).write_bytes(content)
    (folder.parent.parent / ".cedtag" / f"{folder.name}.json").write_bytes(b"[")
    assert output("verify").count("no hash") == 3
    assert last_line("verify", "base").endswith(
        "base is not in the cache, or only partly; see `cedtag models download base`"
    )


def test_a_branch_that_cannot_be_read_is_one_sentence(server, tmp_path):
    folder = Path(output("download", "tiny").strip())
    (folder.parent.parent / "refs" / "main").write_bytes(b"\xff\xfe")
    assert "below refs/ in the cache cannot be read" in last_line("list")
    assert output("verify", "tiny").count("sound") == 3
