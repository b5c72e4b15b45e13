from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cedtag.labels.table import Label
from cedtag.scoring.embedding_head import EmbeddingHead, write_head
from tests.stores import FACTS, make_store

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("pyarrow")


def head(name: str, seed: int = 0) -> EmbeddingHead:
    rng = np.random.default_rng(seed)
    ones = np.ones(8)
    base = {name: FACTS.settings.get(name) for name in ("model", "weights", "config", "preprocessor")}
    return EmbeddingHead(Label(4, "", name), base, ones, 0 * ones, rng.standard_normal(8) * 2, -0.3)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_head_in(tmp_path / "whirr", head("Whirr"))
    write_head_in(tmp_path / "buzz", head("Buzz", 1))
    return tmp_path


def write_head_in(folder: Path, made: EmbeddingHead) -> None:
    folder.mkdir()
    write_head(folder, made)


def rows(stdout: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(stdout.decode())))


def test_learned_classes_have_the_scores_of_their_heads(cedtag, here):
    windows = [one for made in make_store(here / "store", {"a.wav": 5, "b.wav": 2}).values() for one in made]
    embeddings = np.array([one.embedding for one in windows], np.float16)
    done = cedtag(
        *("query", "store", "--head", "whirr", "--head", "buzz", "-t", 0, "-k", 0, "-f", "csv"),
        *("--labels", "Buzz", "--labels", "Whirr", "--labels", "Rain"),
    )
    found = {(row["file"], row["start"], row["label"]): row["score"] for row in rows(done.stdout)}
    expected: dict[tuple[str, str, str], str] = {}
    scores_of: dict[str, Any] = {
        "Whirr": head("Whirr").probabilities(embeddings),
        "Buzz": head("Buzz", 1).probabilities(embeddings),
        "Rain": [one.probabilities[0] for one in windows],
    }
    for label, scores in scores_of.items():
        for window, score in zip(windows, scores, strict=True):
            expected[window.source.name, f"{window.start / 16_000:.3f}", label] = f"{float(score):.4f}"
    assert found == expected


def test_learned_classes_count_in_conditions_groups_of_rows_and_hours(cedtag, here):
    make_store(here / "store", {"a.wav": 20})
    all_rows = rows(cedtag("query", "store", "--head", "whirr", "-t", 0.5, "--labels", "Whirr", "-f", "csv").stdout)
    hours = rows(
        cedtag("query", "store", "--head", "whirr", "-t", 0.5, "--labels", "whirr", "--hours", "-f", "csv").stdout
    )
    assert 0 < len(all_rows) < 20
    assert int(hours[0]["windows"]) == len(all_rows)
    done = cedtag("query", "store", "--head", "whirr", "--where", "Whirr >= 0.5", "-t", 0, "-k", 1, "-f", "csv")
    assert [row["start"] for row in rows(done.stdout)] == [row["start"] for row in all_rows]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nothing", "holds no head.json"),
        ("other", "learn it again on this store"),
        ("taken", "there is another class Rain"),
    ],
)
def test_a_head_that_does_not_belong_to_the_store_is_refused(cedtag, here, folder, said):
    make_store(here / "store", {"a.wav": 2})
    made = head("Whirr")
    write_head_in(here / "other", replace(made, base={**made.base, "weights": "others"}))
    write_head_in(here / "taken", head("Rain"))
    done = cedtag("query", "store", "--head", folder)
    assert done.code in (1, 2)
    assert said in done.stderr


def test_a_store_without_embeddings_takes_no_head(cedtag, here):
    make_store(here / "store", {"a.wav": 2}, replace(FACTS, embedding_size=None))
    done = cedtag("query", "store", "--head", "whirr")
    assert done.code == 2
    assert "holds no embeddings" in done.stderr
