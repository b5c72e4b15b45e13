"""`cedtag models`: the checkpoints that are known, and those on this machine."""

from __future__ import annotations

import shutil
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.checksums import damage_of, stated_hashes
from cedtag.checkpoints.endpoint import client_constants
from cedtag.checkpoints.locate import PACKAGED, HubName, locate, resolve
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.cli.shared.options import Option
from cedtag.cli.shared.table import show
from cedtag.errors import InputError, ModelError, OutputError
from cedtag.model.config import CedConfig
from cedtag.system.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem
    from huggingface_hub import CachedRepoInfo, HFCacheInfo


def hub_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --offline and --cache-dir, which take effect before the command runs."""

    @click.option("--offline", is_flag=True, help="Use only what is on this machine.", cls=Option)
    @click.option(
        "--cache-dir",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        help="Folder for files from the Hub (default: huggingface_hub's cache).",
        cls=Option,
    )
    @wraps(command)
    def configured(*args: object, offline: bool, cache_dir: Path | None, **kwargs: object) -> None:
        hub.configure(offline=offline, cache_dir=cache_dir)
        command(*args, **kwargs)

    return configured


def _offer(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from cedtag.cli.shared.offers import model_names

    return model_names(context, incomplete)


@click.group("models")
def command() -> None:
    """List, download, verify and remove models.

    NAME is tiny, mini, small or base, or owner/repo[@revision] on the Hugging Face Hub; for path and info also a folder
    or a file of weights.
    """


@command.command("list")
@hub_options
def list_models() -> None:
    """List the published models, the one in the package, and every CED in the cache.

    Parameters in millions, mAP on AudioSet in percent; size and commit are those of what is in the cache. A terminal
    shows the first 12 characters of commits, a pipe all of them.
    """
    cached = _cached_ceds()
    rows = []
    for one in KNOWN_CHECKPOINTS:
        facts = (one.name, one.repo, f"{one.parameters_millions:g}", f"{one.mean_average_precision:g}")
        rows += _rows(facts, cached.pop(one.repo, [])) or [(*facts, "", "")]
    rows += [(name, "(in the package)", "", "", _megabytes(place.iterdir()), "") for name, place in PACKAGED.items()]
    for repo, found in sorted(cached.items()):
        rows += _rows(("", repo, "", ""), found)
    show(("name", "repository", "parameters_M", "mAP", "size_MB", "commit"), rows)


def _rows(facts: tuple[str, ...], found: Iterable[hub.Snapshot]) -> list[tuple[str, ...]]:
    return [(*facts, _megabytes(one.files), _shown(one.commit)) for one in found]


def _shown(commit: str) -> str:
    """The commit, or as much of it as leaves a row of the table in a terminal of 80 columns."""
    return commit[:12] if sys.stdout.isatty() else commit


@command.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=_offer)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Copy the files of one model into FOLDER, to be taken to another machine and used with -m FOLDER.",
    cls=Option,
)
@hub_options
def download(names: tuple[str, ...], output: Path | None) -> None:
    """Download models into the cache, the newest commit of each, and print the folders they are in."""
    if output and len(names) > 1:
        raise InputError(f"--output {output} takes one model, not {len(names)}")
    if output and output.exists() and any(output.iterdir()):
        raise OutputError(f"{output} is not empty; choose a new folder")
    from cedtag.cli.shared.console import download_bar

    for name, place in [(name, _on_the_hub(name)) for name in names]:
        with download_bar(name) as on_progress:
            found = hub.snapshot(place.repo, place.revision, refresh=True, on_progress=on_progress)
        if output:
            _copy(found.files, output)
        click.echo(output or found.config.parent)


@command.command()
@click.argument("name", shell_complete=_offer)
@hub_options
def path(name: str) -> None:
    """Print the folder of a model that is on this machine, or the file if NAME is one."""
    click.echo(name if Path(name).is_file() else resolve(name, download=False).weights.parent)


@command.command()
@click.argument("name", shell_complete=_offer)
@hub_options
def info(name: str) -> None:
    """Describe a model that is on this machine."""
    checkpoint = resolve(name, download=False)
    if checkpoint.config is None:
        raise ModelError(f"{name} has no config.json; put the one of its architecture beside the weights")
    config = CedConfig.from_file(checkpoint.config)
    facts = {
        "name": checkpoint.name,
        "commit": checkpoint.commit or "",
        "weights": checkpoint.weights,
        "size_MB": _megabytes(checkpoint.weight_files),
        "embed_dim": config.embed_dim,
        "num_heads": config.num_heads,
        "depth": config.depth,
        "n_mels": config.n_mels,
        "target_length": config.target_length,
        "labels": len(config.id2label),
    }
    show(("fact", "value"), [(fact, str(value)) for fact, value in facts.items()])


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=_offer)
@hub_options
def verify(names: tuple[str, ...]) -> None:
    """Compare cached models with the hashes that the Hub stated for them; of all, without NAME.

    Every byte is read again. A file is sound, damaged, or has "no hash", as the server stated none. The exit code is 1
    if a file is damaged.
    """
    found = _named_snapshots(names) if names else _every_snapshot()
    states = [(repo, one, file, _state(file)) for repo, one in found for file in one.files]
    rows = [(repo, _shown(one.commit), file.name, state) for repo, one, file, state in states]
    show(("repository", "commit", "file", "state"), rows)
    if damaged := sorted({f"{repo}@{one.commit}" for repo, one, _, state in states if state == "damaged"}):
        raise ModelError(
            f"damaged in the cache: {', '.join(damaged)}; repair: cedtag models download {' '.join(damaged)}"
        )


@command.command()
@click.argument("name", shell_complete=_offer)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.", cls=Option)
@hub_options
def rm(name: str, yes: bool) -> None:
    """Remove a model from the cache: all that is there of it, or with @revision only that.

    The cache is huggingface_hub's, so other programs lose it too.
    """
    place = _on_the_hub(name)
    cache = _scan_cache()
    commits = [
        revision.commit_hash
        for repo in _model_repos(cache)
        for revision in repo.revisions
        if repo.repo_id == place.repo and ("@" not in name or place.revision in (revision.commit_hash, *revision.refs))
    ]
    if cache is None or not commits:
        raise ModelError(f"{name} is not in the cache; see `cedtag models list` for what is")
    removal = cache.delete_revisions(*commits)
    if not yes:
        click.confirm(f"Remove {name} and free {removal.expected_freed_size / 1e6:.1f} MB?", abort=True, err=True)
    removal.execute()


def _on_the_hub(name: str) -> HubName:
    place = locate(name)
    if isinstance(place, Path):
        raise InputError(f"{name} is a local {'folder' if place.is_dir() else 'file'}, not a model on the Hub")
    return place


def _named_snapshots(names: Iterable[str]) -> list[tuple[str, hub.Snapshot]]:
    found = []
    for name in names:
        place = _on_the_hub(name)
        revisions = [place.revision] if "@" in name else hub.cached_commits(place.repo)
        snapshots = [one for revision in revisions if (one := hub.cached(place.repo, revision))]
        if not snapshots:
            raise ModelError(f"{name} is not in the cache, or only partly; see `cedtag models download {name}`")
        found += [(place.repo, one) for one in snapshots]
    return found


def _every_snapshot() -> list[tuple[str, hub.Snapshot]]:
    """Every complete CED in the cache, and what may be one under a damaged config file."""
    return [
        (repo, one)
        for repo in sorted(repo.repo_id for repo in _model_repos(_scan_cache()))
        for commit in hub.cached_commits(repo)
        if (one := hub.cached(repo, commit)) and (_is_ced(one) or _state(one.config) == "damaged")
    ]


def _state(file: Path) -> str:
    if not stated_hashes(file):
        return "no hash"
    return "damaged" if damage_of(file, again=True) else "sound"


def _cached_ceds() -> dict[str, list[hub.Snapshot]]:
    """The complete CEDs in the cache by repository, one snapshot per commit."""
    found: dict[str, list[hub.Snapshot]] = {}
    for repo in _model_repos(_scan_cache()):
        for commit in sorted(revision.commit_hash for revision in repo.revisions):
            snapshot = hub.cached(repo.repo_id, commit)
            if snapshot and _is_ced(snapshot):
                found.setdefault(repo.repo_id, []).append(snapshot)
    return found


def _is_ced(snapshot: hub.Snapshot) -> bool:
    try:
        CedConfig.from_file(snapshot.config)
    except ModelError:
        return False
    return True


def _scan_cache() -> HFCacheInfo | None:
    # Of a user without a home it is relative, and begins with ~.
    folder = Path(client_constants().HF_HUB_CACHE).absolute()
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        return scan_cache_dir(folder)
    except CacheNotFound:
        return None
    except UnicodeDecodeError as error:
        raise ModelError(
            "a file below refs/ in the cache cannot be read; `cedtag models download NAME` writes it anew"
        ) from error
    except OSError as error:
        raise ModelError(f"{error.filename}: the cache cannot be read ({error.strerror}); see --cache-dir") from error
    except ValueError as error:
        raise ModelError(f"{folder}: is a file, not a folder of models; name another with --cache-dir") from error


def _model_repos(cache: HFCacheInfo | None) -> list[CachedRepoInfo]:
    return [repo for repo in cache.repos if repo.repo_type == "model"] if cache else []


def _copy(files: Iterable[Path], folder: Path) -> None:
    """Copy the files into `folder`, each whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            with replacing(folder / file.name) as temporary:
                shutil.copyfile(file, temporary)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def _megabytes(files: Iterable[Path]) -> str:
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f}"
