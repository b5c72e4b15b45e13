from __future__ import annotations

import os

import pytest

from tests.screens import SCREENS, all_screens

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX"), pytest.mark.slow]


def test_every_line_of_a_new_user_leaves_the_screen_that_was_read():
    assert all_screens() == SCREENS.read_text(encoding="utf-8")
