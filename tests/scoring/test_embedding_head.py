"""A head scores stored embeddings as the model that it is part of does, and refuses those of other models."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cedtag.errors import InputError, ModelError
from cedtag.labels.table import Label
from cedtag.scoring.embedding_head import HEAD_NAME, EmbeddingHead, read_head, write_head

SIZE = 48
BASE = {"model": "ced-micro", "weights": "a1", "config": "b2", "preprocessor": "c3"}


@pytest.fixture
def head() -> EmbeddingHead:
    rng = np.random.default_rng(3)
    norm_weight, norm_bias, weight = rng.standard_normal((3, SIZE))
    return EmbeddingHead(Label(527, "", "Owl, calling"), BASE, norm_weight, norm_bias, weight, 0.25)


@pytest.fixture
def embeddings() -> np.ndarray:
    return (3 * np.random.default_rng(4).standard_normal((5000, SIZE)) + 0.5).astype(np.float16)


def test_probabilities_are_those_of_the_layers_of_the_model(head, embeddings):
    torch = pytest.importorskip("torch")
    norm = torch.nn.LayerNorm(SIZE).double()
    norm.weight.data, norm.bias.data = torch.tensor(head.norm_weight), torch.tensor(head.norm_bias)
    logits = norm(torch.tensor(embeddings).double()) @ torch.tensor(head.weight) + head.bias
    expected = torch.sigmoid(logits).detach().numpy()
    np.testing.assert_allclose(head.probabilities(embeddings), expected, rtol=0, atol=1e-6)


def test_a_probability_depends_on_its_own_row_alone(head, embeddings):
    whole = head.probabilities(embeddings)
    pieces = [head.probabilities(piece) for piece in np.split(embeddings, [1, 7, 3000])]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_a_head_is_read_back_as_it_was_written(head, embeddings, tmp_path):
    write_head(tmp_path, head)
    for path in (tmp_path, tmp_path / HEAD_NAME):
        found = read_head(path)
        assert (found.label, found.base) == (head.label, BASE)
        assert np.array_equal(found.probabilities(embeddings), head.probabilities(embeddings))


@pytest.mark.parametrize("name", ["weights", "config", "preprocessor"])
def test_embeddings_of_another_model_are_refused(head, name):
    head.check_made_on(BASE, "archive")
    with pytest.raises(InputError, match=r"archive: .*Owl, calling was learned on those of ced-micro"):
        head.check_made_on(BASE | {name: "other"}, "archive")


def test_embeddings_of_another_length_are_refused(head, embeddings):
    with pytest.raises(InputError, match="48 numbers, and these have 40"):
        head.probabilities(embeddings[:, :40])


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("weight"),
        lambda record: record["weight"].pop(),
        lambda record: record.update(bias="much"),
        lambda record: record.update(head=2),
        lambda record: record["norm_bias"].__setitem__(0, [1]),
        lambda record: record.update({"class": []}),
    ],
)
def test_a_damaged_head_is_an_error_that_names_the_file(head, damage, tmp_path):
    write_head(tmp_path, head)
    record = json.loads((tmp_path / HEAD_NAME).read_text())
    damage(record)
    (tmp_path / HEAD_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=HEAD_NAME):
        read_head(tmp_path)


def test_a_folder_without_a_head_says_what_to_name(tmp_path):
    with pytest.raises(ModelError, match=r"holds no head\.json; name the folder that `cedtag learn` has written"):
        read_head(tmp_path)
