"""What `cedtag distill info` shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cedtag.cli.shared.table import show
from cedtag.distill.info import distill_store_info
from cedtag.run.summary import duration

if TYPE_CHECKING:
    from pathlib import Path


def show_info(store: Path, format_name: str) -> None:
    """Print what a store holds."""
    info = distill_store_info(store)
    if format_name == "json":
        click.echo(json.dumps(info.to_dict(), indent=1))
        return
    parts = f"{info.parts:,}" + (f" of {info.parts + info.missing_parts:,}" if info.missing_parts else "")
    rows = [
        ("clips", f"{info.clips:,}"),
        ("audio", duration(info.audio_s)),
        ("recordings", f"{info.recordings:,}"),
        ("failed", f"{info.failed:,}"),
        ("partial", f"{info.partial:,}"),
        ("clips left out", f"{info.left_out:,}"),
        ("parts", parts),
        ("epochs", f"{info.epochs}"),
        ("classes kept", f"{info.top_k} of {info.classes}"),
        ("seed", f"{info.seed}"),
        ("clip length", f"{info.chunk_s:g} s"),
        *(("teacher", f"{name} ({digest[:16]})") for name, digest in info.teachers),
        ("size", f"{info.bytes:,} bytes"),
        ("bytes per clip", f"{info.bytes_per_clip:,.1f}"),
        ("share of PCM", f"{info.pcm_share:.3%}"),
        ("mean entropy", f"{info.entropy_bits:.3f} bits"),
    ]
    show(("what", "value"), rows)
