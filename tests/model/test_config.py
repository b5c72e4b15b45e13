import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedtag.errors import ModelError
from cedtag.labels.table import audioset
from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.model.json_file import read_json_object


def test_the_default_is_ced_tiny_with_the_audioset_labels():
    config = CedConfig()
    assert (config.embed_dim, config.num_heads, config.depth, config.hidden_dim) == (192, 3, 12, 768)
    assert config.grid_size == (4, 63)
    assert config.front_end == FrontEnd()
    assert list(config.id2label.values()) == [one.name for one in audioset()]
    assert config.label2id[config.id2label[137]] == 137


def test_other_numbers_of_outputs_get_numbered_labels():
    assert CedConfig(outputdim=3).id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}


def test_a_saved_config_reads_back_equal_and_keeps_what_it_does_not_know(tmp_path, monkeypatch):
    values = {"model_type": "ced", "transformers_version": "4.38.1", "depth": 2, "name": None, "id2label": None}
    config = CedConfig.from_dict(values)
    config.save_pretrained(tmp_path / "new" / "folder")
    saved = tmp_path / "new" / "folder" / "config.json"
    assert CedConfig.from_file(saved) == CedConfig.from_dict(json.loads(saved.read_text(encoding="utf-8")))
    assert CedConfig.from_file(saved).depth == 2
    assert json.loads(saved.read_text(encoding="utf-8"))["transformers_version"] == "4.38.1"
    assert [path.name for path in saved.parent.iterdir()] == ["config.json"]


def test_labels_have_integer_keys_inside_and_strings_in_json():
    config = CedConfig.from_dict({"outputdim": 2, "id2label": {"0": "Frog", "1": "Rain, wind"}})
    assert config.id2label == {0: "Frog", 1: "Rain, wind"}
    assert config.label2id == {"Frog": 0, "Rain, wind": 1}
    assert config.to_dict()["id2label"] == {"0": "Frog", "1": "Rain, wind"}


def test_two_outputs_may_have_one_name():
    config = CedConfig.from_dict(
        {"outputdim": 2, "id2label": {"0": "Inside", "1": "Inside"}, "label2id": {"Inside": 1}}
    )
    assert config.label2id == {"Inside": 1}


HOSTILE = {
    "depth": [0, -1, 10**9, True, "12", 12.0, [12]],
    "embed_dim": [-192, 4, 10**6, "192"],
    "num_heads": [0, 7, -3],
    "mlp_ratio": [float("nan"), float("inf"), 0, 10**6, "4"],
    "drop_rate": [-0.1, 1, True],
    "attn_drop_rate": [float("nan")],
    "drop_path_rate": [2],
    "qkv_bias": [1, "true"],
    "pad_last": [0],
    "outputdim": [0, -527, 10**7, 527.0],
    "patch_size": [0, 65, -16],
    "patch_stride": [0, 8],
    "target_length": [0, 10**9],
    "pooling": ["token", "", 3],
    "eval_avg": [3],
    "n_mels": [0, 10**6],
    "n_fft": [0, 10**9, 512.5, 513],
    "win_size": [0, 1024],
    "hop_size": [0, -160, 10**5],
    "f_min": [-1, 8000],
    "f_max": [0, 10**9, float("nan")],
    "center": [False, 1],
    "model_type": ["bert", 7],
    "id2label": [{"0": "Speech"}, {"x": "Speech"}, ["Speech"], dict.fromkeys(range(1, 528), "Speech")],
    "label2id": [{"Speech": 3}, {"Speech": "1"}, {"Speech": "zero"}, {"No such class": 0}, ["Speech"]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in HOSTILE.items() for value in values])
def test_a_hostile_value_is_refused_by_the_name_of_its_field(name, value):
    with pytest.raises(ModelError, match=name):
        CedConfig.from_dict({"embed_dim": 192, "num_heads": 3, name: value})


@pytest.mark.parametrize("values", [{"embed_dim": 768}, {"num_heads": 3}, {"embed_dim": 192, "num_heads": None}])
def test_a_size_without_its_number_of_heads_is_refused(values):
    with pytest.raises(ModelError, match="embed_dim and num_heads must be given together"):
        CedConfig.from_dict(values)


def test_a_model_too_large_for_any_memory_is_refused():
    with pytest.raises(ModelError, match="embed_dim"):
        CedConfig(embed_dim=4096, num_heads=64, depth=64)


@pytest.mark.parametrize("label", ["", "a\nb", "\x1b[31mred", "\ud800", 3, None])
def test_a_label_that_would_break_a_row_is_refused(label):
    with pytest.raises(ModelError, match=r"id2label\[0\]"):
        CedConfig.from_dict({"outputdim": 1, "id2label": {"0": label}})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff\xfe{",
        b'{"depth": NaN}',
        b'{"depth": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b" " * 1_000_001,
    ],
    ids=["empty", "html", "list", "utf-16", "nan", "long-integer", "brackets", "nested", "too-large"],
)
def test_a_file_that_is_no_config_is_one_sentence_with_its_path(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json: ") as caught:
        CedConfig.from_file(path)
    assert len(str(caught.value)) < 300


def test_infinity_spelled_as_a_number_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"mlp_ratio": 1e999}')
    with pytest.raises(ModelError, match="mlp_ratio is inf"):
        CedConfig.from_file(path)


def test_a_byte_order_mark_is_no_damage(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b'\xef\xbb\xbf{"depth": 2}')
    assert CedConfig.from_file(path).depth == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.json: cannot be read \(No such file"):
        CedConfig.from_file(tmp_path / "absent.json")


NAMES = st.text("a0", max_size=2)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | NAMES
JSON = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(NAMES, PLAIN, max_size=2)


@given(values=st.dictionaries(st.sampled_from(sorted(HOSTILE)), JSON))
def test_any_values_give_a_config_or_a_model_error(values):
    try:
        config = CedConfig.from_dict(values)
    except ModelError:
        return
    assert CedConfig.from_dict(json.loads(json.dumps(config.to_dict()))).to_dict() == config.to_dict()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    CedConfig(depth=2).save_pretrained(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(TypeError):
        CedConfig(extra={"x": object()}).save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_bytes() == before
    assert read_json_object(tmp_path / "config.json")["depth"] == 2


def test_a_config_loads_no_torch():
    code = "import sys, cedtag.model.config as c; c.CedConfig(); print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
