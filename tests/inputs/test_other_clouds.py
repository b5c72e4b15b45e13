"""Buckets of Google and Azure: the rows of the same files on a disk, a run that goes on, and no secret anywhere."""

from __future__ import annotations

import pytest

from cedtag.system import remote
from tests.fake_bucket import NAME, Bucket, serving

pytest.importorskip("obstore")

KEY = "c2VjcmV0LW9mLWEtdGVzdA=="  # a key of Azure is in base64
SECRETS = (KEY, "token-of-a-test", "U2VjcmV0")


def google(url: str) -> dict[str, str]:
    return {"GOOGLE_BASE_URL": url, "GOOGLE_BEARER_TOKEN": "token-of-a-test"}


def google_emulator(url: str) -> dict[str, str]:
    return {"STORAGE_EMULATOR_HOST": url.removeprefix("http://")}


def azure(url: str) -> dict[str, str]:
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": "field",
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": url,
    }


def azure_emulator(url: str) -> dict[str, str]:
    return {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": url}


def azure_tools(url: str) -> dict[str, str]:
    return {"AZURE_STORAGE_ACCOUNT": "field", "AZURE_STORAGE_KEY": KEY, "AZURE_ENDPOINT": url}


def azure_string(url: str) -> dict[str, str]:
    parts = f"DefaultEndpointsProtocol=http;AccountName=field;AccountKey={KEY};BlobEndpoint={url}"
    return {"AZURE_STORAGE_CONNECTION_STRING": parts}


WAYS = {
    "google": ("gs", google),
    "google-emulator": ("gs", google_emulator),
    "azure": ("az", azure),
    "azure-emulator": ("az", azure_emulator),
    "azure-tools": ("az", azure_tools),
    "azure-string": ("az", azure_string),
}


@pytest.fixture(params=WAYS)
def cloud(request, sounds, monkeypatch):
    """The URL of the recordings of `sounds` in a bucket, and the bucket."""
    scheme, environment = WAYS[request.param]
    files = [path for path in sounds.rglob("*") if path.is_file()]
    with serving(Bucket({f"field/{path.relative_to(sounds).as_posix()}": path.read_bytes() for path in files})) as it:
        for name, value in environment(f"http://127.0.0.1:{it.port}").items():
            monkeypatch.setenv(name, value)
        remote._stores.cache_clear()
        yield f"{scheme}://{NAME}/field", it
        remote._stores.cache_clear()


def test_a_prefix_has_the_rows_of_a_folder_and_a_run_goes_on(cedtag, cloud, tmp_path):
    url, bucket = cloud
    bucket.page = 3
    done = cedtag(url, "-o", "tags.csv", "--errors", "errors.jsonl", "--summary", "summary.json", "-v")
    assert done.code == 0, done.stderr
    here = cedtag("sounds", "-f", "csv").stdout.decode().replace("sounds/", "")
    assert (tmp_path / "tags.csv").read_text().replace(f"{url}/", "") == here
    assert "4 recordings done earlier" in cedtag(url, "-o", "tags.csv").stderr
    assert "1 recording done earlier" in cedtag(f"{url}/a.wav", "-o", "tags.csv").stderr
    bucket.objects["field/c.ogg"] = bucket.objects["field/b/stereo.flac"]
    assert "1 recording done, 3 done earlier" in cedtag(url, "-o", "tags.csv").stderr
    said = done.stderr.encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert not any(secret.encode() in said for secret in SECRETS)


def test_what_fails_is_said_without_secrets(cedtag, cloud):
    url, bucket = cloud
    bucket.faults = [503, "cut"]
    assert cedtag(f"{url}/a.wav", "-f", "csv").code == 0
    assert "there is no such object" in cedtag(f"{url}/none.wav").stderr
    bucket.denies = True
    done = cedtag(url, "-v")
    assert f"{url}: access is denied" in done.stderr
    assert not any(secret in done.stderr for secret in SECRETS)


def test_without_an_account_the_variable_is_named(cedtag, tmp_path):
    remote._stores.cache_clear()
    done = cedtag(f"az://{NAME}/a.wav")
    assert done.code == 3
    assert "the account is not known; set AZURE_STORAGE_ACCOUNT_NAME" in done.stderr
