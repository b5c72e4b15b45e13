"""The model whose embeddings a store holds: found again, and compared."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cedtag.checkpoints.choice import ModelChoice
from cedtag.errors import InputError
from cedtag.inputs.window_settings import WindowSettings
from cedtag.scoring import Compute
from cedtag.scoring.embedding_head import MODEL_SETTINGS

if TYPE_CHECKING:
    from cedtag.scoring import LoadedModel
    from cedtag.similar.settings import StoreModel
    from cedtag.store.read import Store

logger = logging.getLogger(__name__)


def choice_of(store: Store, model: StoreModel) -> ModelChoice:
    """The checkpoint whose embeddings a store holds."""
    name, commit = str(store.settings.get("model")), store.settings.get("commit")
    return ModelChoice(model.base or (f"{name}@{commit}" if commit else name), model.offline, model.cache_dir)


def compute_of(store: Store) -> Compute:
    """How a store's embeddings were computed, as far as it changes them much: int8 moves them, a backend does not."""
    return Compute(precision="int8" if store.settings.get("precision") == "int8" else "auto")


def check_model(store: Store, model: LoadedModel) -> None:
    """InputError unless this is the model of the store; what else differs is logged."""
    from cedtag.run.plan import scoring_of
    from cedtag.run.settings import RunSettings, score_settings

    settings = RunSettings(windows=windows_of(store))
    made = score_settings(settings, scoring_of(settings, model.scorer), model)
    if any(made[name] != store.settings.get(name) for name in MODEL_SETTINGS):
        raise InputError(
            f"{store.path}: holds embeddings of {store.settings.get('model')}, and {model.checkpoint.name} has other "
            "weights; name the model of then with `base`"
        )
    now = str(made["backend"]), str(made.get("precision"))
    for maker in store.written_by:
        then = str(maker.get("backend")), str(store.settings.get("precision"))
        if then != now:
            logger.warning(
                "%s: was made with %s in %s, and clips are heard with %s in %s: their embeddings differ a little",
                *(store.path, *then, *now),
            )
            return


def windows_of(store: Store) -> WindowSettings:
    """The windows of a store."""
    return WindowSettings(float(store.settings["window"]), float(store.settings["hop"]))
