"""The part that a run is writing, as others see it."""

from __future__ import annotations

import pytest

pytest.importorskip("pyarrow")

from cedtag.store.open_part import num_open_recordings, open_parts


def test_a_part_whose_log_went_first_holds_no_recordings(tmp_path):
    (tmp_path / "open.1-000001.rows").write_bytes(b"rows")
    (tmp_path / "open.2-000001.log").write_bytes(b"{}\n{}\n")
    assert len(open_parts(tmp_path)) == 2
    assert num_open_recordings(tmp_path) == 2
