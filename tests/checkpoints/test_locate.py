from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cedtag.checkpoints.locate import Checkpoint, HubName, locate, resolve
from cedtag.errors import ModelError
from tests.fake_hub import FakeHub, client_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def make(tmp_path):
    """Makes files, empty and with their folders, below the test's own folder."""

    def make_files(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make_files


@pytest.mark.parametrize(
    ("name", "repo", "revision"),
    [
        ("tiny", "mispeech/ced-tiny", "main"),
        ("ced-base", "mispeech/ced-base", "main"),
        ("mispeech/ced-mini", "mispeech/ced-mini", "main"),
        ("small@v1.0", "mispeech/ced-small", "v1.0"),
        ("some.one/model-2@refs/pr/1", "some.one/model-2", "refs/pr/1"),
    ],
)
def test_names_mean_repositories_on_the_hub(name, repo, revision):
    assert locate(name) == HubName(repo, revision)


def test_a_published_name_means_the_hub_whatever_the_working_folder_holds(make, monkeypatch):
    monkeypatch.chdir(make("tiny/model.safetensors", "owner/model/model.safetensors"))
    assert locate("tiny") == HubName("mispeech/ced-tiny", "main")
    assert resolve("./tiny").weights.is_file()
    assert resolve("owner/model").weights.is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tony", "tony: no such model; did you mean tiny?"),
        ("ced-bse@v2", "ced-bse: no such model; did you mean ced-base?"),
        (
            "whisper",
            "whisper: no such model (tiny, mini, small, base, demo, owner/repo[@revision], "
            "a folder or a file of weights)",
        ),
        ("./tiny", "./tiny: no such file or folder, and no name of a model (tiny, mini, small, base, ..."),
        ("owner/../model", "owner/../model: no such file or folder, and no name of a model (tiny, mini, ..."),
        ("runs/best.pt", "runs/best.pt: no such file or folder, and no name of a model (tiny, mini, ..."),
        ("owner/model@", "owner/model@: no such file or folder, and no name of a model (tiny, mini, ..."),
        ("owner/model@../../x", "owner/model@../../x: no such file or folder, and no name of a model (..."),
    ],
)
def test_other_names_are_refused_with_what_may_be_meant(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as caught:
        resolve(name)
    assert str(caught.value).startswith(message.removesuffix("..."))


def test_a_folder_gives_its_config_and_weights(make):
    folder = make("config.json", "preprocessor_config.json", "model.safetensors", "pytorch_model.bin", "optimizer.pt")
    assert resolve(str(folder)) == Checkpoint(
        name=str(folder),
        config=folder / "config.json",
        preprocessor=folder / "preprocessor_config.json",
        weights=folder / "model.safetensors",
        commit=None,
    )


@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (["pytorch_model.bin", "training_args.bin"], "pytorch_model.bin"),
        (["best.safetensors", "best.pt", "last.pt"], "best.safetensors"),
        (["audiotransformer_tiny.pt"], "audiotransformer_tiny.pt"),
    ],
)
def test_safetensors_come_first_and_other_names_count_where_they_are_alone(make, files, weights):
    folder = make(*files)
    assert resolve(str(folder)) == Checkpoint(str(folder), None, None, folder / weights, None)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["config.json"], "holds no weights (model.safetensors, pytorch_model.bin or a .pt file)"),
        (["a.pt", "b.bin"], "holds several files of weights (a.pt, b.bin); give the path of one of them"),
    ],
)
def test_a_folder_without_clear_weights_is_refused(make, files, message):
    folder = make(*files)
    with pytest.raises(ModelError) as caught:
        resolve(str(folder))
    assert str(caught.value) == f"{folder}: {message}"


def test_a_file_of_weights_brings_the_config_beside_it(make):
    folder = make("config.json", "model.safetensors", "old.pt")
    old = folder / "old.pt"
    assert resolve(str(old)) == Checkpoint(str(old), folder / "config.json", None, old, None)


def test_the_home_folder_can_be_written_as_a_tilde(make, monkeypatch):
    monkeypatch.setenv("HOME", str(make("best.pt")))
    assert resolve("~/best.pt").weights.is_file()


def test_a_model_on_the_hub_comes_with_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with FakeHub() as server:
        for variable, value in client_environment(server, tmp_path).items():
            monkeypatch.setenv(variable, value)
        commit = server.add("mispeech/ced-tiny", {"config.json": b"{}", "model.safetensors": b"weights"})
        found = resolve("tiny", cache_dir=tmp_path / "cache")
    assert (found.name, found.commit, found.preprocessor) == ("mispeech/ced-tiny", commit, None)
    assert found.weights.read_bytes() == b"weights"
    assert resolve("tiny", cache_dir=tmp_path / "cache", offline=True) == found


def test_local_models_load_no_heavy_package(make):
    code = (
        "import sys; from cedtag.checkpoints.locate import resolve; resolve(sys.argv[1])\n"
        "assert not {'torch', 'numpy', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(make("model.safetensors"))], check=True, timeout=20)
