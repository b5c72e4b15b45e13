from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from cedtag import CedFeatureExtractor, CedForAudioClassification
from tests.micro import CHECKPOINT
from tests.processors import OLD, XEON, skip_without_bf16

FILES = ["sounds/a.wav", "sounds/b/short.wav", "sounds/b/stereo.flac", "sounds/c.ogg"]


def rows(text: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline=""), delimiter=delimiter))


def expected_rows(path: str, size: int = 160_000) -> list[tuple[str, ...]]:
    """The five best tags of each window, by the library alone."""
    extractor = CedFeatureExtractor.from_pretrained(str(CHECKPOINT))
    model = CedForAudioClassification.from_pretrained(str(CHECKPOINT))
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, 16_000)
    found = []
    for start in range(0, len(mono), size):
        window = mono[start : start + size]
        with torch.no_grad():
            scores = model(**extractor(window)).probabilities[0].numpy().astype(float).round(4)
        for rank, index in enumerate(np.argsort(-scores, kind="stable")[:5], 1):
            end = (start + len(window)) // 16 / 1000
            found.append((path, f"{start / 16000:.3f}", f"{end:.3f}", str(rank), str(index), f"{scores[index]:.4f}"))
    return found


def keyed(found: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return [tuple(row[key] for key in ("file", "start", "end", "rank", "index", "score")) for row in found]


def test_rows_are_what_the_library_computes_window_by_window(cedtag, sounds):
    done = cedtag("sounds", "-f", "csv")
    assert done.code == 0
    got, wanted = keyed(rows(done.stdout)), [row for path in FILES for row in expected_rows(path)]
    assert [row[:5] for row in got] == [row[:5] for row in wanted]
    assert np.allclose([float(row[5]) for row in got], [float(row[5]) for row in wanted], atol=2e-4)


def test_no_row_ends_after_its_recording_and_a_short_one_has_its_own_end(cedtag, sounds):
    ends = {(row["file"], row["start"], row["end"]) for row in rows(cedtag("sounds", "-f", "csv").stdout)}
    assert sorted(ends) == [
        ("sounds/a.wav", "0.000", "10.000"),
        ("sounds/a.wav", "10.000", "12.000"),
        ("sounds/b/short.wav", "0.000", "0.100"),
        ("sounds/b/stereo.flac", "0.000", "3.000"),
        ("sounds/c.ogg", "0.000", "1.000"),
    ]


@pytest.mark.parametrize("more", [["-j", 1, "--threads", 1], ["-j", 3, "--threads", 3], ["-j", 2, "--threads", 1]])
def test_jobs_and_threads_change_no_byte(cedtag, sounds, more):
    assert cedtag("sounds", "-w", 1, "-f", "jsonl", *more).stdout == cedtag("sounds", "-w", 1, "-f", "jsonl").stdout


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_nor_do_they_in_other_precisions(cedtag, sounds, precision):
    if precision == "int8":
        pytest.importorskip("onnxruntime")
    else:
        skip_without_bf16()
    command = ["sounds", "-w", 1, "-k", 20, "-t", 0, "-f", "jsonl", "--precision", precision]
    first = cedtag(*command)
    assert first.objects
    for jobs, threads in ((1, 1), (3, 3), (2, 1)):
        assert cedtag(*command, "-j", jobs, "--threads", threads).stdout == first.stdout


def test_the_order_of_arguments_changes_no_row_of_a_file(cedtag, sounds):
    by_file = {path: cedtag(path, "-w", 1, "-f", "jsonl").objects for path in FILES}
    for seed in range(3):
        order = random.Random(seed).sample(FILES, len(FILES))
        assert cedtag(*order, "-w", 1, "-f", "jsonl").objects == [one for path in order for one in by_file[path]]


def test_the_batch_size_moves_scores_by_less_than_a_digit(cedtag, sounds):
    one, eight = (rows(cedtag("sounds", "-w", 1, "-k", 0, "-t", 0, "-f", "csv", "-b", b).stdout) for b in (1, 8))
    scores = [
        {(row["file"], row["start"], row["index"]): float(row["score"]) for row in found} for found in (one, eight)
    ]
    assert scores[0].keys() == scores[1].keys()
    assert (
        max(abs(scores[0][key] - scores[1][key]) for key in scores[0]) < 1.1e-4
    )  # one in the last digit that is shown


def test_tag_is_the_default_command(cedtag, sounds):
    assert (
        cedtag("tag", "sounds/c.ogg").stdout
        == cedtag("sounds/c.ogg").stdout
        == cedtag("--top_k=5", "sounds/c.ogg").stdout
    )


def test_a_pipe_gets_tab_separated_rows(cedtag, sounds):
    done = cedtag("sounds/c.ogg", "-k", 1)
    assert done.lines[0] == "file\tstart\tend\trank\tindex\tmid\tlabel\tscore"
    assert rows(done.stdout, "\t") == rows(cedtag("sounds/c.ogg", "-k", 1, "-f", "csv").stdout)


def test_json_lines_hold_a_window_each(cedtag, sounds):
    objects = cedtag("sounds", "-f", "jsonl", "-k", 2).rows
    assert [(o["file"], o["start"], o["end"]) for o in objects][:2] == [
        ("sounds/a.wav", 0.0, 10.0),
        ("sounds/a.wav", 10.0, 12.0),
    ]
    assert all(len(o["tags"]) == 2 and o["tags"][0].keys() == {"index", "mid", "label", "score"} for o in objects)


def test_json_is_one_document_with_what_made_it(cedtag, sounds):
    document = json.loads(cedtag("sounds", "-f", "json", "-w", 2, "-t", 0.2, "-t", "Speech=0.5").stdout)
    assert document["schema"] == "cedtag/1"
    settings = document["settings"]
    assert (settings["window"], settings["hop"], settings["threshold"]) == (2.0, 2.0, 0.2)
    assert settings["thresholds"] == {"Speech": 0.5}
    assert [(r["file"], r["status"], r["duration"]) for r in document["recordings"]] == [
        ("sounds/a.wav", "ok", 12.0),
        ("sounds/b/short.wav", "ok", 0.1),
        ("sounds/b/stereo.flac", "ok", 3.0),
        ("sounds/c.ogg", "ok", 1.0),
    ]


def test_the_table_has_a_heading_per_recording_and_a_line_per_window(cedtag, sounds):
    done = cedtag("sounds/a.wav", "-f", "table", "-k", 1, "--labels", "Speech", "-t", 0)
    scores = [
        f"{float(row['score']):.2f}"
        for row in rows(cedtag("sounds/a.wav", "-f", "csv", "--labels", "Speech", "-t", 0).stdout)
    ]
    assert done.lines == [
        "sounds/a.wav",
        f"  0:00:00.0 - 0:00:10.0  {scores[0]} Speech",
        f"  0:00:10.0 - 0:00:12.0  {scores[1]} Speech",
    ]


def test_the_wide_layout_has_a_column_per_class_and_a_row_per_window(cedtag, sounds):
    options = ["sounds/c.ogg", "-t", 0, "--labels", "Rain", "--labels", "Speech", "-f", "csv"]
    long, wide = rows(cedtag(*options).stdout), rows(cedtag(*options, "--layout", "wide").stdout)
    assert wide == [
        {"file": "sounds/c.ogg", "start": "0.000", "end": "1.000", **{row["label"]: row["score"] for row in long}}
    ]
    assert list(wide[0]) == ["file", "start", "end", "Speech", "Rain"]


def test_labels_are_chosen_by_name_mid_or_index(cedtag, sounds):
    done = cedtag("sounds/c.ogg", "-f", "csv", "-t", 0, "--labels", "speech", "--labels", "/m/06mb1", "--labels", "74")
    assert sorted(row["label"] for row in rows(done.stdout)) == ["Dog", "Rain", "Speech"]
    done = cedtag("sounds/c.ogg", "-f", "csv", "-t", 0, "--labels", "Speech", "--labels", "Rain", "--exclude", "Rain")
    assert [row["label"] for row in rows(done.stdout)] == ["Speech"]


def test_an_unknown_label_is_said_and_an_error_when_none_is_known(cedtag, sounds):
    done = cedtag("sounds/c.ogg", "-f", "csv", "-t", 0, "--labels", "Speech", "--labels", "Speach")
    assert (done.code, [row["label"] for row in rows(done.stdout)]) == (0, ["Speech"])
    assert "did you mean" in done.stderr
    done = cedtag("sounds/c.ogg", "--labels", "Speach")
    assert (done.code, done.stdout) == (2, b"")
    assert "Speech" in done.stderr


def test_a_text_file_among_good_ones_costs_one_line_and_exit_code_3(cedtag, sounds, tmp_path):
    (sounds / "b" / "x.wav").write_text("not audio at all\n")
    done = cedtag("sounds", "-f", "csv", "--errors", "failed.jsonl")
    assert done.code == 3
    assert [row["file"] for row in rows(done.stdout) if row["rank"] == "1"][-1] == "sounds/c.ogg"
    first, second = done.stderr.splitlines()
    assert first.startswith("cedtag: failed: sounds/b/x.wav: ")
    assert "cedtag: 4 recordings done, 1 failed; " in second
    (failure,) = map(json.loads, (tmp_path / "failed.jsonl").read_text().splitlines())
    assert (failure["path"], failure["stage"]) == ("sounds/b/x.wav", "open")
    assert failure["error"] in first


def test_fail_fast_stops_at_the_first_failure(cedtag, sounds):
    (sounds / "a.txt.wav").write_text("not audio at all\n")
    done = cedtag("sounds/a.txt.wav", "sounds/c.ogg", "--fail-fast")
    assert (done.code, done.lines[1:]) == (3, [])


def test_a_folder_of_no_recording_is_no_audio(cedtag, sounds, tmp_path):
    (tmp_path / "odd").mkdir()
    os.mkfifo(tmp_path / "odd" / "fifo.wav")
    assert cedtag("odd").code == 4


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["nowhere.wav"], 3, "nowhere.wav: cannot be opened (No such file or directory)"),
        (["empty"], 4, "no audio found"),
        ([], 2, "nothing to tag was named"),
        (["sounds", "-w", "11"], 2, "from 0.16 to 10.11 seconds"),
        (["sounds", "-w", "2", "--hop", "3"], 2, "no more than the window"),
        (["sounds", "--hop", "1", "--overlap", "1"], 2, "use one of them"),
        (["sounds", "--overlap", "x"], 2, "seconds (2.5) or a share of the window (50%)"),
        (["sounds", "-t", "2"], 2, "a number from 0 to 1"),
        (["sounds", "-t", "Speech=x"], 2, "a number from 0 to 1"),
        (["sounds", "-t", "@none.csv"], 2, "none.csv: cannot read thresholds"),
        (["sounds", "-d", "gpu"], 2, "no such device"),
        (["sounds", "-d", "cuda"], 2, "-d cpu works everywhere"),
        (["sounds", "-b", "0"], 2, "a whole number from 1, or auto"),
        (["sounds", "-m", "./nowhere"], 1, "nowhere"),
        (["sounds", "-m", "tinny"], 1, "did you mean tiny"),
        (["sounds", "-o", "x.xyz"], 2, "name one with --format"),
        (["sounds", "-f", "csv", "-f", "json"], 2, "several formats cannot share standard output"),
        (["sounds", "-f", "csv", "-f", "json", "-o", "x.csv"], 2, "give every --format its own --output"),
        (["sounds", "-o", "x.csv", "-o", "-"], 2, "cannot stand beside other outputs"),
        (["sounds", "--shard", "3/2"], 2, "such as 2/8"),
        (["sounds", "--raw", "mp3"], 2, "s16le"),
        (["-", "--files-from", "-"], 2, "cannot be both"),
        (["--bogus", "sounds"], 2, "No such option"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_an_exit_code(cedtag, sounds, tmp_path, args, code, said):
    (tmp_path / "empty").mkdir()
    done = cedtag("tag", *args)
    assert done.code == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr


def test_overlap_in_seconds_and_in_percent_is_the_hop_said_otherwise(cedtag, sounds):
    by_hop = cedtag("sounds/a.wav", "-w", 4, "--hop", 1).stdout
    assert by_hop == cedtag("sounds/a.wav", "-w", 4, "--overlap", 3).stdout
    assert by_hop == cedtag("sounds/a.wav", "-w", 4, "--overlap", "75%").stdout


def test_overlapping_windows_score_as_each_does_alone(cedtag, sounds):
    samples, _ = soundfile.read("sounds/a.wav", dtype="float32")
    together = rows(cedtag("sounds/a.wav", "-w", 4, "--hop", 2, "-k", 0, "-t", 0, "-f", "csv").stdout)
    for start in (0, 2, 6):
        soundfile.write("part.wav", samples[start * 16_000 : (start + 4) * 16_000], 16_000)
        alone = rows(cedtag("part.wav", "-w", 4, "-k", 0, "-t", 0, "-f", "csv", "-b", 1).stdout)
        scores = {row["index"]: float(row["score"]) for row in together if row["start"] == f"{start}.000"}
        assert max(abs(scores[row["index"]] - float(row["score"])) for row in alone) < 1.1e-4


def test_lists_of_paths(cedtag, sounds, tmp_path):
    (tmp_path / "list").write_bytes(b"\0".join(path.encode() for path in FILES))
    assert cedtag("--files-from", "list", "-0").stdout == cedtag(*FILES).stdout
    (tmp_path / "list").write_text("\n".join(FILES) + "\n")
    assert cedtag("--files-from", "list").stdout == cedtag(*FILES).stdout


def test_globs_and_depth_choose_recordings(cedtag, sounds):
    def files(*args):
        return sorted({row["file"] for row in rows(cedtag("sounds", "-f", "csv", *args).stdout)})

    assert files("--no-recursive") == ["sounds/a.wav", "sounds/c.ogg"]
    assert files("--include-glob", "*.wav") == ["sounds/a.wav", "sounds/b/short.wav"]
    assert files("--exclude-glob", "b/**", "--exclude-glob", "c.*") == ["sounds/a.wav"]


def test_the_shards_of_a_folder_are_its_recordings(cedtag, sounds):
    parts = [cedtag("sounds", "-f", "jsonl", "--shard", f"{i}/3").lines[1:] for i in (1, 2, 3)]
    assert sorted(chain.from_iterable(parts)) == sorted(cedtag("sounds", "-f", "jsonl").lines[1:])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--i", "Did you mean --include-glob?"),
        ("--glob", "Did you mean --include-glob or --exclude-glob?"),
        ("--topk", "Did you mean --top-k or --to or --hop?"),
        ("--xyzzy", "No such option '--xyzzy'. (see"),
    ],
)
def test_an_unknown_option_is_compared_with_those_that_begin_so(cedtag, option, said):
    assert said in cedtag("sounds", option).stderr


@pytest.mark.parametrize(
    ("overlap", "said"),
    [
        ("80", "--overlap 80: must be less than the window, which is 10 s long; 80 percent is written 80%"),
        ("100%", "--overlap 100%: must be less than the window, which is 10 s long\n"),
    ],
)
def test_an_overlap_of_the_whole_window_is_refused(cedtag, sounds, overlap, said):
    done = cedtag("sounds", "--overlap", overlap)
    assert done.code == 2
    assert said in done.stderr


def test_every_option_can_come_from_the_environment(cedtag, sounds, monkeypatch):
    wanted = cedtag("sounds/c.ogg", "-k", 1, "-f", "csv").stdout
    monkeypatch.setenv("CEDTAG_TOP_K", "1")
    monkeypatch.setenv("CEDTAG_FORMAT", "csv")
    assert cedtag("sounds/c.ogg").stdout == wanted


def test_outputs_hold_what_a_pipe_would_get(cedtag, sounds, tmp_path):
    wanted = {name: cedtag("sounds", "-f", name, "-w", 2).stdout for name in ("csv", "tsv", "json", "jsonl")}
    outputs = [arg for name in wanted for arg in ("-o", f"out/all.{name}")]
    assert cedtag("sounds", "-w", 2, *outputs).code == 0
    assert {name: (tmp_path / "out" / f"all.{name}").read_bytes() for name in wanted} == wanted


def test_a_folder_of_outputs_mirrors_the_input(cedtag, sounds, tmp_path):
    assert cedtag("sounds", "-o", "out/", "-f", "csv", "-f", "jsonl").code == 0
    made = sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*l*") if path.is_file()
    )
    assert [name for name in made if name.endswith(".jsonl")] == [
        "a.wav.jsonl",
        "b/short.wav.jsonl",
        "b/stereo.flac.jsonl",
        "c.ogg.jsonl",
    ]
    alone = cedtag("sounds/c.ogg", "-f", "csv").stdout
    assert (tmp_path / "out" / "c.ogg.csv").read_bytes() == alone
    assert sorted(path.name for path in sounds.iterdir()) == ["a.wav", "b", "c.ogg"]


def test_an_existing_file_is_not_replaced_without_being_told(cedtag, sounds, tmp_path):
    (tmp_path / "mine.csv").write_text("precious\n")
    done = cedtag("sounds/c.ogg", "-o", "mine.csv")
    assert (done.code, (tmp_path / "mine.csv").read_text()) == (1, "precious\n")
    assert "--overwrite" in done.stderr
    assert cedtag("sounds/c.ogg", "-o", "mine.csv", "--overwrite").code == 0
    assert (tmp_path / "mine.csv").read_text().startswith("file,start")


def test_the_summary_adds_up(cedtag, sounds, tmp_path):
    os.mkfifo(sounds / "fifo.wav")
    (sounds / "bad.wav").write_text("not audio at all\n")
    done = cedtag("sounds", "-o", "out.csv", "--summary", "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    counts = [summary[name] for name in ("found", "done", "partial", "failed", "skipped")]
    assert (done.code, counts) == (3, [6, 4, 0, 1, 1])
    assert summary["windows"] == 5
    assert summary["settings"]["model"] == str(CHECKPOINT)


def test_quiet_says_only_errors_and_verbose_says_what_was_chosen(cedtag, sounds):
    assert cedtag("sounds", "-q").stderr == ""
    assert "on cpu in fp32 with torch, 4 windows a call" in cedtag("sounds", "-v").stderr


@pytest.mark.parametrize(("here", "faster"), [(XEON, "bf16 or int8"), (OLD, "int8")])
def test_a_verbose_run_in_fp32_tells_where_to_learn_what_is_faster_here(cedtag, sounds, monkeypatch, here, faster):
    monkeypatch.setattr("cedtag.cli.tag.run.processor", lambda: here)
    said = f"`cedtag doctor` measures how much faster --precision {faster} is on this processor"
    assert said in cedtag("sounds", "-v").stderr
    assert "doctor" not in cedtag("sounds").stderr


@pytest.mark.parametrize("name", ["tab\there", 'quote"comma,', "line\nbreak", "emoji 🐦", "esc\x1b[1m", "=cmd"])
def test_odd_names_survive_into_csv_tsv_and_json(cedtag, sounds, name):
    (sounds / "c.ogg").rename(sounds / f"{name}.ogg")
    path = f"sounds/{name}.ogg"
    assert {row["file"] for row in rows(cedtag(path, "-f", "csv").stdout)} == {path}
    assert {row["file"] for row in rows(cedtag(path, "-f", "tsv").stdout, "\t")} == {path}
    assert {one["file"] for one in cedtag(path, "-f", "jsonl").objects} == {path}
    assert "\x1b" not in cedtag(path, "-f", "table").stdout.decode()


def test_names_that_are_not_utf8_survive_to_the_byte(cedtag, sounds):
    path = os.fsdecode(b"sounds/caf\xe9.ogg")
    (sounds / "c.ogg").rename(path)
    assert b"caf\xe9.ogg" in cedtag("sounds", "-f", "csv").stdout
    files = [one["file"] for one in cedtag("sounds", "-f", "jsonl").objects]
    assert path in files
    assert cedtag("sounds", "-f", "table").code == 0
    assert cedtag("sounds", "-o", "out/", "-f", "csv").code == 0
    assert Path(os.fsdecode(b"out/caf\xe9.ogg.csv")).exists()


@pytest.mark.parametrize(
    ("files", "change"),
    [(["config.json"], {"num_heads": 1}), (["preprocessor_config.json", "config.json"], {"f_max": 7000})],
)
def test_a_checkpoint_whose_json_files_have_changed_is_another_model(cedtag, sounds, files, change):
    shutil.copytree(CHECKPOINT, "model")
    command = ["sounds", "-m", "model", "--no-progress"]
    assert cedtag(*command, "-o", "all.csv").code == 0
    assert cedtag(*command, "-o", "1.csv", "--shard", "1/2").code == 0
    before = Path("all.csv").read_bytes()
    for file in files:
        values = json.loads(Path("model", file).read_text())
        Path("model", file).write_text(json.dumps(values | change))

    done = cedtag(*command, "-o", "all.csv")

    assert (done.code, Path("all.csv").read_bytes()) == (1, before)
    assert f"`{files[0].split('_')[0].removesuffix('.json')}` was " in done.stderr
    assert cedtag(*command, "-o", "2.csv", "--shard", "2/2").code == 0
    merged = cedtag("merge", "1.csv", "2.csv", "-o", "both.csv")
    assert (merged.code, Path("both.csv").exists()) == (2, False)
