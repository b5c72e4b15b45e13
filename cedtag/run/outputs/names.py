"""The names of the files that results are written to."""

from __future__ import annotations

import hashlib
import os

from cedtag.system.atomic import LONGEST_NAME, cut_name
from cedtag.writers import suffix_of


def output_name(name: str, format_name: str) -> str:
    """The name of a recording's results: `a.wav.csv`; too long a name is cut and told apart by a hash."""
    suffix = suffix_of(format_name)
    encoded = os.fsencode(name)
    # The temporary name is longer by a dot and ".part".
    if len(encoded) + len(suffix) + 6 <= LONGEST_NAME:
        return name + suffix
    digest = hashlib.blake2b(encoded, digest_size=8).hexdigest()
    return cut_name(name, 200) + f"~{digest}{suffix}"
