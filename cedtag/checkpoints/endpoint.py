"""The address of the Hub, HF_ENDPOINT: whether it is one, and how it is shown."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cedtag.errors import ModelError

if TYPE_CHECKING:
    from types import ModuleType

_USER = re.compile(r"(?<=//)[^/@\s]*@")
_TOKEN = re.compile(r"(?<=Bearer )[^\s'\"]+|\bhf_\w{8,}")


def without_credentials(text: str) -> str:
    """The text without the user and password of addresses, and without tokens."""
    return _TOKEN.sub("***", _USER.sub("***@", text))


def client_constants() -> ModuleType:
    """The module `huggingface_hub.constants`; a ModelError where the variables that it reads cannot be used.

    To be called before anything else of huggingface_hub is imported, which fails on them in its own ways.
    """
    _check_endpoint(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        from huggingface_hub import constants
    except ValueError as error:
        raise ModelError(f"huggingface_hub cannot be loaded ({error}); check the variables HF_HUB_...") from error
    return constants


def _check_endpoint(address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number up to 65535, or a bracket that is not closed
        usable = False
    if not usable or not address.isprintable() or " " in address:
        raise ModelError(
            f"HF_ENDPOINT is {without_credentials(ascii(address))}, which is no address of a web server; "
            "correct it (https://HOST[:PORT]), or unset it to use https://huggingface.co"
        )
