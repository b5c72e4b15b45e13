"""Examples from a folder, a manifest and AudioSet's segment list."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis.strategies import lists, permutations, sampled_from

from cedtag.errors import InputError
from cedtag.inputs.manifest import (
    Example,
    classes_of,
    examples_digest,
    read_examples,
    select_folds,
    ytids,
)

if TYPE_CHECKING:
    from pathlib import Path


def recordings(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def manifest(root: Path, text: str) -> Path:
    (root / "data.csv").write_text(text, encoding="utf-8")
    return root / "data.csv"


def test_a_folder_holds_one_class_per_sub_folder(tmp_path: Path) -> None:
    recordings(tmp_path, "wren/a.wav", "my owl/deep/b.OGG", "my owl/notes.txt", ".hidden/c.wav")
    assert read_examples(tmp_path) == [
        Example(str(tmp_path / "my owl/deep/b.OGG"), "my owl/deep/b.OGG", ("my owl",)),
        Example(str(tmp_path / "wren/a.wav"), "wren/a.wav", ("wren",)),
    ]


def test_a_folder_named_like_an_audioset_class_is_that_class(tmp_path: Path) -> None:
    recordings(tmp_path, "rain/a.wav", "my rain/b.wav")
    assert [example.labels for example in read_examples(tmp_path)] == [("my rain",), ("Rain",)]


def test_manifest_rows_may_repeat_a_clip_and_name_classes_by_mid(tmp_path: Path) -> None:
    recordings(tmp_path, "a.wav", "b.wav")
    text = "file,labels,start,end,fold\na.wav,/m/06mb1;my owl,1.5,2,1\na.wav,Owl 2,1.5,2,1\nb.wav,,,,2\n"
    assert read_examples(manifest(tmp_path, text)) == [
        Example(str(tmp_path / "a.wav"), "a.wav", ("Rain", "my owl", "Owl 2"), 24_000, 32_000, "1"),
        Example(str(tmp_path / "b.wav"), "b.wav", (), 0, None, "2"),
    ]


def test_a_manifest_may_be_tab_separated_and_lie_elsewhere(tmp_path: Path) -> None:
    recordings(tmp_path, "audio/a.wav")
    (tmp_path / "data.tsv").write_text("file\tlabels\na.wav\tBaby cry, infant cry\n", encoding="utf-8")
    (example,) = read_examples(tmp_path / "data.tsv", tmp_path / "audio")
    assert example == Example(str(tmp_path / "audio/a.wav"), "a.wav", ("Baby cry, infant cry",))


def test_audioset_segments_are_found_under_their_youtube_names(tmp_path: Path) -> None:
    recordings(tmp_path, "clips/Y--4gqARaEJE.wav", "clips/-0abcdefghi_30000.flac", "clips/other.wav")
    text = (
        "# Segments csv\n# num_ytids=3\n# YTID, start_seconds, end_seconds, positive_labels\n"
        '--4gqARaEJE, 0.000, 10.000, "/m/06mb1,/m/09x0r"\n'
        '-0abcdefghi, 30.000, 40.000, "/m/09x0r"\n-1abcdefghi, 0.000, 10.000, "/m/09x0r"\n'
    )
    data = manifest(tmp_path, text)
    found = {example.name: example.labels for example in read_examples(data, tmp_path / "clips")}
    assert found == {"-0abcdefghi_30000.flac": ("Speech",), "Y--4gqARaEJE.wav": ("Rain", "Speech")}
    assert [example.name for example in read_examples(data)] == ["--4gqARaEJE", "-0abcdefghi", "-1abcdefghi"]


def test_a_youtube_name_stands_first_or_behind_a_y() -> None:
    assert list(ytids("Y--4gqARaEJE_0.wav")) == ["Y--4gqARaEJ", "--4gqARaEJE"]
    assert list(ytids("--4gqARaEJE.wav")) == ["--4gqARaEJE"]


def test_audioset_classes_come_first_in_audioset_order() -> None:
    examples = [Example("", "a", ("zebra", "Rain")), Example("", "b", ("Speech", "ant"))]
    assert classes_of(examples) == ("Speech", "Rain", "ant", "zebra")


def test_folds_select_and_unknown_ones_are_named() -> None:
    examples = [Example("", name, ("x",), fold=name) for name in "123"]
    assert [example.fold for example in select_folds(examples, ["3", "1"])] == ["1", "3"]
    assert select_folds(examples, []) == examples
    with pytest.raises(InputError, match=r"fold 4: no example is in it \(folds of the data: 1, 2, 3\)"):
        select_folds(examples, ["4"])


def test_the_digest_depends_on_labels_but_not_on_places() -> None:
    here = [Example("/here/a.wav", "a.wav", ("x",))]
    assert examples_digest(here) == examples_digest([Example("/there/a.wav", "a.wav", ("x",))])
    assert examples_digest(here) != examples_digest([Example("/here/a.wav", "a.wav", ("y",))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na.wav,x\n", "the first line must name the columns 'file' and 'labels'"),
        ("", "the first line must name the columns"),
        ("file,labels\n", "no rows"),
        ("file,labels,fold\na.wav,x\n", "line 2: 2 of 3 columns"),
        ("file,labels,start,end\na.wav,x,soon,\n", "line 2: 'soon' is no time in seconds"),
        ("file,labels,start,end\na.wav,x,nan,\n", "line 2: 'nan' is no time in seconds"),
        ("file,labels,start,end\na.wav,x,2,1\n", "line 2: the end is not after the start"),
        ("file,labels\na.wav,x\nb.wav,y\nc.wav,y\n", "2 recordings are not there, the first is "),
        ("# YTID, start_seconds, end_seconds, positive_labels\n", "no segments"),
    ],
)
def test_a_bad_manifest_is_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    recordings(tmp_path, "a.wav")
    with pytest.raises(InputError, match=message):
        read_examples(manifest(tmp_path, text))


CELLS = sampled_from(
    ["", " ", "a.wav", "Rain", "0", "1.5", "-1", "nan", "1e999", "1e300", "x" * 300, "a\0b", "#", ";", '"']
)


@given(
    rows=lists(lists(CELLS, max_size=6), max_size=5), header=permutations(["file", "labels", "start", "end", "fold"])
)
def test_any_rows_are_examples_or_a_sentence(tmp_path_factory, rows, header) -> None:
    folder = tmp_path_factory.getbasetemp() / "manifests"
    recordings(folder, "a.wav")
    for first in (header, header[:3], ["# YTID", "start_seconds", "end_seconds", "positive_labels"]):
        text = "\n".join(",".join(cells) for cells in [first, *rows])
        with suppress(InputError):
            examples_digest(read_examples(manifest(folder, text)))


def test_no_data_no_classes_and_empty_classes_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder or manifest"):
        read_examples(tmp_path / "none.csv")
    with pytest.raises(InputError, match="expected one sub-folder per class"):
        read_examples(tmp_path)
    recordings(tmp_path, "full/a.wav", "empty/readme.txt")
    with pytest.raises(InputError, match=r"empty: the class has no recording"):
        read_examples(tmp_path)
    with pytest.raises(InputError, match=r"cannot be read \(Not a directory\)"):
        read_examples(manifest(tmp_path, "") / "below.csv")
    (tmp_path / "latin.csv").write_bytes(b"file,labels\n\xff.wav,x\n")
    with pytest.raises(InputError, match="not a CSV or TSV manifest"):
        read_examples(tmp_path / "latin.csv")


@pytest.mark.parametrize("kind", ["fold", "group"])
def test_a_recording_has_one_fold_and_one_group(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "data.csv").write_text(f"file,labels,start,end,{kind}\na.wav,x,0,0.5,1\na.wav,y,0.5,1,2\n")
    with pytest.raises(InputError, match=f"data.csv: a.wav is in the {kind}s '1' and '2'; give it one"):
        read_examples(tmp_path / "data.csv")
