"""Whether the sound of a file is encrypted: decoders make noise of it, without an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.asf import is_encrypted_asf
from cedtag.audio.containers.matroska import is_encrypted_matroska
from cedtag.audio.containers.mp4 import is_encrypted_mp4
from cedtag.audio.containers.mpeg_ts import is_encrypted_mpeg_ts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container

_ENCRYPTED: dict[str, Callable[[FileBytes], bool]] = {
    "asf": is_encrypted_asf,
    "matroska": is_encrypted_matroska,
    "mpeg-ts": is_encrypted_mpeg_ts,
    "mp4": is_encrypted_mp4,
}


def is_encrypted(file: FileBytes, container: Container) -> bool:
    """Return whether the container says that its sound is encrypted (DRM)."""
    says = _ENCRYPTED.get(container.name)
    return says is not None and says(file)
