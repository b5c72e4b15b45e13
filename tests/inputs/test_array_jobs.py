"""`--shard auto`: the part that belongs to a task of an array of jobs."""

from __future__ import annotations

import pytest

from cedtag.errors import InputError
from cedtag.inputs.array_jobs import shard_of_task


def slurm(index: int, first: int, last: int, step: int = 1, count: int | None = None) -> dict[str, str]:
    told = (last - first) // step + 1 if count is None else count
    values = {"ID": index, "MIN": first, "MAX": last, "STEP": step, "COUNT": told}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        (slurm(0, 0, 7), (1, 8)),
        (slurm(7, 0, 7), (8, 8)),
        (slurm(5, 1, 8), (5, 8)),
        (slurm(10, 2, 14, 4), (3, 4)),
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "4"}, (3, 4)),
        ({"SGE_TASK_ID": "3", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "5", "SGE_TASK_STEPSIZE": "2"}, (2, 3)),
        ({"LSB_JOBINDEX": "4", "LSB_JOBINDEX_END": "9", "LSB_JOBINDEX_STEP": "1"}, (4, 9)),
        ({"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "1", "LSB_JOBINDEX_END": "2"}, (1, 2)),
    ],
)
def test_every_task_has_its_part(variables, shard):
    assert shard_of_task(variables) == shard


def test_the_tasks_of_an_array_have_all_parts():
    assert [shard_of_task(slurm(index, 3, 12, 3)) for index in range(3, 13, 3)] == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "this is no task of an array of jobs"),
        ({"LSB_JOBINDEX": "0"}, "this is no task of an array of jobs"),
        ({"SGE_TASK_ID": "undefined"}, "this is no task of an array of jobs"),
        ({"PBS_ARRAY_INDEX": "4"}, r"write \$PBS_ARRAY_INDEX/N, for an array from 1 to N"),
        ({"PBS_ARRAYID": "4"}, r"write \$PBS_ARRAYID/N"),
        (slurm(3, 1, 7, count=3), "have gaps"),
        (slurm(9, 1, 7), "have gaps"),
        (slurm(2, 1, 7, 2), "have gaps"),
        (slurm(1, 1, 7) | {"SLURM_ARRAY_TASK_STEP": "0"}, "have gaps"),
        (slurm(1, 1, 7) | {"SLURM_ARRAY_TASK_MAX": "x"}, "SLURM_ARRAY_TASK_MAX of Slurm is 'x' and no number"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_MIN of Slurm is '' and no number"),
    ],
)
def test_what_does_not_tell_the_part_is_refused(variables, sentence):
    with pytest.raises(InputError, match=sentence):
        shard_of_task(variables)


def test_the_parts_of_an_array_are_those_that_are_written(cedtag, sounds, monkeypatch):
    for name, value in slurm(1, 0, 1).items():
        monkeypatch.setenv(name, value)
    assert cedtag("sounds", "--shard", "auto").lines == cedtag("sounds", "--shard", "2/2").lines


def test_the_journal_holds_the_part_and_not_the_word(cedtag, sounds, monkeypatch):
    for name, value in slurm(1, 0, 1).items():
        monkeypatch.setenv(name, value)
    assert cedtag("sounds", "--shard", "auto", "-o", "2.csv").code == 0
    assert cedtag("sounds", "--shard", "1/2", "-o", "1.csv").code == 0
    assert cedtag("merge", "1.csv", "2.csv", "-o", "all.csv").code == 0
