"""One self-contained page about an archive: what was heard, when, and where."""

from __future__ import annotations

from cedtag.report.archive import Archive, collect
from cedtag.report.html import write_page

__all__ = ["Archive", "collect", "write_page"]
