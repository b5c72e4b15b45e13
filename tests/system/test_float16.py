"""Every number of half precision is widened to itself."""

from __future__ import annotations

import numpy as np

from cedtag.system.float16 import widened

ALL = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def test_every_number_stays_what_it_is_to_the_sign_of_zero():
    finite = ALL[np.isfinite(ALL)].reshape(-1, 32)
    found = widened(finite)
    np.testing.assert_array_equal(found, finite.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(finite))


def test_infinity_and_nan_stay_what_they_are():
    np.testing.assert_array_equal(widened(ALL), ALL.astype(np.float32))
