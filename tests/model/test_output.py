from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.parallel import scatter_gather

from cedtag import CedConfig, CedForAudioClassification, CedOutput

ROOT = Path(__file__).parents[2]
MODEL = CedForAudioClassification(CedConfig(depth=1, embed_dim=24, outputdim=5)).eval().requires_grad_(False)
FEATURES = torch.randn(2, 64, 100)
LABELS = torch.tensor([1, 4])


def same(found: object, expected: CedOutput) -> bool:
    return isinstance(found, CedOutput) and all(map(torch.equal, found, expected))


def test_without_labels_the_logits_come_first_and_with_labels_the_loss():
    out, with_loss = MODEL(FEATURES), MODEL(FEATURES, LABELS)
    assert out.loss is None
    assert out[0] is out.logits is out["logits"]
    assert out[1] is out[-1] is out.last_hidden_state is out["last_hidden_state"]
    assert with_loss[0] is with_loss.loss is with_loss["loss"]
    assert with_loss[1] is with_loss.logits is with_loss["logits"]
    assert (out.logits.shape, out.last_hidden_state.shape, with_loss.loss.shape) == ((2, 5), (2, 4 * 6, 24), ())


def test_names_work_as_in_a_dictionary():
    out, with_loss = MODEL(FEATURES), MODEL(FEATURES, LABELS)
    assert [*out.keys()] == ["logits", "last_hidden_state"]
    assert [*with_loss.keys()] == ["loss", "logits", "last_hidden_state"]
    assert ["loss" in out, "loss" in with_loss, "logits" in out, "odd" in out] == [False, True, True, False]
    assert dict(with_loss) == dict(zip(with_loss.keys(), with_loss.to_tuple(), strict=True))
    assert type(out[1:]) is type(out.to_tuple()) is tuple
    for name in ("loss", "odd"):
        with pytest.raises(KeyError, match=name):
            out[name]
    assert repr(with_loss).startswith("CedOutput(loss=tensor(")


def test_copies_are_outputs():
    out = MODEL(FEATURES, LABELS)
    assert same(copy.deepcopy(out), out)
    assert same(pickle.loads(pickle.dumps(out)), out)


@pytest.mark.parametrize("inputs", [(FEATURES,), (FEATURES, LABELS)])
def test_an_exported_model_gives_outputs(inputs):
    file = io.BytesIO()
    torch.export.save(torch.export.export(MODEL, inputs), file)
    assert same(torch.export.load(file).module()(*inputs), MODEL(*inputs))


@pytest.mark.parametrize("inputs", [(FEATURES,), (FEATURES, LABELS)])
def test_a_compiled_model_gives_outputs_in_one_graph(inputs):
    assert same(torch.compile(MODEL, backend="eager", fullgraph=True)(*inputs), MODEL(*inputs))


@pytest.mark.filterwarnings("ignore")  # torch calls tracing deprecated, and warns of every check of a shape
def test_a_traced_model_gives_the_tensors():
    assert all(map(torch.equal, torch.jit.trace(MODEL, FEATURES)(FEATURES), MODEL(FEATURES)))


def test_data_parallel_gathers_outputs(monkeypatch):
    # What gathers single tensors is for GPUs alone.
    monkeypatch.setattr(scatter_gather.Gather, "apply", lambda _device, dim, *tensors: torch.cat(tensors, dim))
    whole = MODEL(FEATURES)
    halves = [CedOutput(tensor[i : i + 1] for tensor in whole) for i in range(2)]
    assert same(scatter_gather.gather(halves, "cuda"), whole)


@pytest.mark.slow
def test_type_checkers_know_what_comes_back(tmp_path):
    code = tmp_path / "caller.py"
    code.write_text(
        """
from torch import Tensor
from typing_extensions import assert_type
from cedtag import CedForAudioClassification, CedModel, CedOutput

model, features = CedForAudioClassification.from_pretrained("tiny"), Tensor()
assert_type(model(features), CedOutput)
assert_type(model(features).logits, Tensor)
assert_type(model(features).last_hidden_state, Tensor)
assert_type(model(features).probabilities, Tensor)
assert_type(model(features, labels=features).loss, Tensor | None)
assert_type(model(features)["logits"], Tensor)
assert_type(model(features)[0], Tensor)
assert_type(CedModel.from_pretrained("tiny")(features), Tensor)
"""
    )
    command = [sys.executable, "-m", "mypy", "--strict", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("Success"), done.stdout
