"""What the vendors' own tools read of the environment and of profiles, where obstore does not read it itself."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

# Variables of Azure's own tools, the names of the same for obstore, and what it reads itself.
_AZURE = (
    ("AZURE_STORAGE_ACCOUNT", "account_name", ("AZURE_STORAGE_ACCOUNT_NAME",)),
    (
        "AZURE_STORAGE_KEY",
        "account_key",
        ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY"),
    ),
)
_AZURE_PARTS = {"AccountName": "account_name", "AccountKey": "account_key", "BlobEndpoint": "endpoint"}


def config_of(place: str) -> dict[str, str]:
    """What obstore has to be told of how a bucket is reached, beside what it reads itself."""
    read = {"s3": _aws, "gs": _google, "az": _azure}.get(place.partition(":")[0])
    return {} if read is None else read()


def endpoint_of(place: str, config: dict[str, str]) -> str:
    """The address of the service, where somebody has named one: an emulator, or a server that speaks S3; else ""."""
    own = os.environ
    by_scheme: dict[str, list[str | None]] = {
        "http": [place],
        "s3": [config.get("endpoint"), own.get("AWS_ENDPOINT_URL"), own.get("AWS_ENDPOINT")],
        "gs": [config.get("base_url"), own.get("GOOGLE_BASE_URL")],
        "az": [config.get("endpoint"), own.get("AZURE_STORAGE_ENDPOINT"), own.get("AZURE_ENDPOINT")],
    }
    return next((address for address in by_scheme.get(place.partition(":")[0], []) if address), "")


def has_static_credentials(place: str, config: dict[str, str]) -> bool:
    """Whether a bucket is asked with keys that are there, so that nobody else is asked for some."""
    named = {
        "s3": ("AWS_ACCESS_KEY_ID",),
        "az": ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
    }.get(place.partition(":")[0], ())
    return bool({"aws_access_key_id", "account_key"} & config.keys()) or any(name in os.environ for name in named)


def _aws() -> dict[str, str]:
    """What the files of a profile say where the environment says nothing."""
    own = os.environ
    found: dict[str, str] = {}
    if "AWS_ACCESS_KEY_ID" not in own:
        name = own.get("AWS_PROFILE", "default")
        files = (
            own.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
            own.get("AWS_CONFIG_FILE", "~/.aws/config"),
        )
        profiles = configparser.RawConfigParser()
        profiles.read([Path(file).expanduser() for file in files])
        for section in (f"profile {name}", name):
            for key in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"):
                if profiles.has_option(section, key):
                    found[key] = profiles.get(section, key)
    if endpoint := own.get("AWS_ENDPOINT_URL_S3"):
        found["endpoint"] = endpoint
    return found


def _google() -> dict[str, str]:
    """The emulator that Google's own libraries use."""
    host = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if not host or "GOOGLE_BASE_URL" in os.environ:
        return {}
    return {"base_url": host if "://" in host else f"http://{host}", "skip_signature": "true"}


def _azure() -> dict[str, str]:
    """The account and its key: by the variables of `az storage`, or in a connection string."""
    own = os.environ
    parts = (part.partition("=") for part in own.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";"))
    found = {_AZURE_PARTS[name.strip()]: value for name, _, value in parts if name.strip() in _AZURE_PARTS}
    for variable, name, others in _AZURE:
        if variable in own and not any(other in own for other in others):
            found[name] = own[variable]
    return found
