"""Tags sounds in recordings with the CED audio taggers (arXiv 2308.11957).

    >>> import cedtag
    >>> for window in cedtag.tag("birds.wav", model="demo"):
    ...     print(window.to_dict())

`tag` is for one recording, `Tagger` for many and for whole archives. Everything else in `__all__` is what these take
and give, what can be done with results that are written, and the CED networks themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "SAMPLE_RATE_HZ",
    "AlreadyDone",
    "AudioError",
    "Callbacks",
    "CedConfig",
    "CedFeatureExtractor",
    "CedForAudioClassification",
    "CedModel",
    "CedOutput",
    "CedtagError",
    "ClipSettings",
    "Clock",
    "Cluster",
    "Compute",
    "DataSettings",
    "Destination",
    "DistillStore",
    "DistillStoreCallbacks",
    "DistillStoreCompute",
    "DistillStoreSettings",
    "Evaluation",
    "EvaluationSettings",
    "EventSettings",
    "FileEnd",
    "FileFailed",
    "FunctionTeacher",
    "InputError",
    "Label",
    "LearningSettings",
    "MissingPackageError",
    "ModelChoice",
    "ModelError",
    "OutputError",
    "PageSettings",
    "PartChoice",
    "Reading",
    "Recipe",
    "RecordingResults",
    "ReportFiles",
    "RunSettings",
    "ScoredWindow",
    "Scores",
    "Search",
    "SimilarSettings",
    "Skipped",
    "SoundEvent",
    "Source",
    "Start",
    "StudentSettings",
    "Summary",
    "Tag",
    "TagFilter",
    "TagResult",
    "Tagger",
    "TeacherChoice",
    "TrainingCallbacks",
    "TrainingFolder",
    "TrainingSettings",
    "ViewChoice",
    "ViewSettings",
    "WindowSettings",
    "__version__",
    "audioset",
    "convert",
    "detect_events",
    "distill_store_info",
    "draw_view",
    "evaluate",
    "evaluate_results",
    "extract_clips",
    "find_labels",
    "find_similar",
    "finetune",
    "learn",
    "load_teachers",
    "merge",
    "most_specific",
    "open_store",
    "read_data",
    "read_results",
    "roll_up",
    "seconds",
    "store_views",
    "student_recipe",
    "tag",
    "train_student",
    "write_evaluation",
    "write_events",
    "write_report",
]

if TYPE_CHECKING:
    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.distill.info import distill_store_info
    from cedtag.distill.run import DistillStoreCallbacks, store_views
    from cedtag.distill.settings import (
        DistillStoreCompute,
        DistillStoreSettings,
        PartChoice,
        TeacherChoice,
        ViewSettings,
    )
    from cedtag.distill.store import DistillStore
    from cedtag.distill.student import train_student
    from cedtag.distill.student_settings import StudentSettings, ViewChoice, student_recipe
    from cedtag.distill.teachers import FunctionTeacher, load_teachers
    from cedtag.distill.views import draw_view
    from cedtag.errors import AudioError, CedtagError, InputError, MissingPackageError, ModelError, OutputError
    from cedtag.evaluation.run import Evaluation, evaluate, evaluate_results, write_evaluation
    from cedtag.evaluation.settings import EvaluationSettings, ReportFiles
    from cedtag.events.detect import detect_events
    from cedtag.events.settings import EventSettings
    from cedtag.inputs.clock import Clock
    from cedtag.inputs.data_settings import DataSettings
    from cedtag.inputs.manifest import read_data
    from cedtag.inputs.search import Search
    from cedtag.inputs.window_settings import WindowSettings
    from cedtag.labels.groups import most_specific, roll_up
    from cedtag.labels.table import Label, audioset, find_labels
    from cedtag.labels.tag_filter import TagFilter
    from cedtag.learning.learn import learn
    from cedtag.learning.settings import LearningSettings
    from cedtag.model.config import CedConfig
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.network import CedForAudioClassification, CedModel
    from cedtag.model.output import CedOutput
    from cedtag.records import (
        SAMPLE_RATE_HZ,
        AlreadyDone,
        FileEnd,
        FileFailed,
        ScoredWindow,
        Skipped,
        SoundEvent,
        Source,
        Tag,
        TagResult,
        seconds,
    )
    from cedtag.report import PageSettings
    from cedtag.report.write import write_report
    from cedtag.results.clip_settings import ClipSettings
    from cedtag.results.convert import convert
    from cedtag.results.events import write_events
    from cedtag.results.extract import extract_clips
    from cedtag.results.read import read_results
    from cedtag.results.recording import RecordingResults, Scores
    from cedtag.run.archive import Callbacks
    from cedtag.run.cluster import Cluster
    from cedtag.run.merging import merge
    from cedtag.run.outputs.destination import Destination
    from cedtag.run.settings import Reading, RunSettings
    from cedtag.run.summary import Summary
    from cedtag.scoring import Compute
    from cedtag.similar.search import find_similar
    from cedtag.similar.settings import SimilarSettings
    from cedtag.store import open_store
    from cedtag.tagger import Tagger, tag
    from cedtag.training.finetune import finetune
    from cedtag.training.run import TrainingCallbacks
    from cedtag.training.settings import Recipe, Start, TrainingFolder, TrainingSettings

# Loaded at first use, so that `import cedtag` costs neither torch nor NumPy.
_LAZY = {
    "SAMPLE_RATE_HZ": "cedtag.records",
    "AlreadyDone": "cedtag.records",
    "AudioError": "cedtag.errors",
    "Callbacks": "cedtag.run.archive",
    "CedConfig": "cedtag.model.config",
    "CedFeatureExtractor": "cedtag.model.features",
    "CedForAudioClassification": "cedtag.model.network",
    "CedModel": "cedtag.model.network",
    "CedOutput": "cedtag.model.output",
    "CedtagError": "cedtag.errors",
    "ClipSettings": "cedtag.results.clip_settings",
    "Clock": "cedtag.inputs.clock",
    "Cluster": "cedtag.run.cluster",
    "Compute": "cedtag.scoring",
    "DataSettings": "cedtag.inputs.data_settings",
    "Destination": "cedtag.run.outputs.destination",
    "DistillStore": "cedtag.distill.store",
    "DistillStoreCallbacks": "cedtag.distill.run",
    "DistillStoreCompute": "cedtag.distill.settings",
    "DistillStoreSettings": "cedtag.distill.settings",
    "StudentSettings": "cedtag.distill.student_settings",
    "ViewChoice": "cedtag.distill.student_settings",
    "student_recipe": "cedtag.distill.student_settings",
    "train_student": "cedtag.distill.student",
    "Evaluation": "cedtag.evaluation.run",
    "EvaluationSettings": "cedtag.evaluation.settings",
    "EventSettings": "cedtag.events.settings",
    "FileEnd": "cedtag.records",
    "FileFailed": "cedtag.records",
    "FunctionTeacher": "cedtag.distill.teachers",
    "InputError": "cedtag.errors",
    "Label": "cedtag.labels.table",
    "LearningSettings": "cedtag.learning.settings",
    "MissingPackageError": "cedtag.errors",
    "ModelChoice": "cedtag.checkpoints.choice",
    "ModelError": "cedtag.errors",
    "OutputError": "cedtag.errors",
    "PageSettings": "cedtag.report",
    "PartChoice": "cedtag.distill.settings",
    "Reading": "cedtag.run.settings",
    "Recipe": "cedtag.training.settings",
    "RecordingResults": "cedtag.results.recording",
    "ReportFiles": "cedtag.evaluation.settings",
    "RunSettings": "cedtag.run.settings",
    "ScoredWindow": "cedtag.records",
    "Scores": "cedtag.results.recording",
    "Search": "cedtag.inputs.search",
    "SimilarSettings": "cedtag.similar.settings",
    "Skipped": "cedtag.records",
    "SoundEvent": "cedtag.records",
    "Source": "cedtag.records",
    "Start": "cedtag.training.settings",
    "Summary": "cedtag.run.summary",
    "Tag": "cedtag.records",
    "TagFilter": "cedtag.labels.tag_filter",
    "TagResult": "cedtag.records",
    "Tagger": "cedtag.tagger",
    "TeacherChoice": "cedtag.distill.settings",
    "TrainingCallbacks": "cedtag.training.run",
    "TrainingFolder": "cedtag.training.settings",
    "TrainingSettings": "cedtag.training.settings",
    "ViewSettings": "cedtag.distill.settings",
    "WindowSettings": "cedtag.inputs.window_settings",
    "audioset": "cedtag.labels.table",
    "convert": "cedtag.results.convert",
    "detect_events": "cedtag.events.detect",
    "distill_store_info": "cedtag.distill.info",
    "draw_view": "cedtag.distill.views",
    "evaluate": "cedtag.evaluation.run",
    "evaluate_results": "cedtag.evaluation.run",
    "extract_clips": "cedtag.results.extract",
    "find_labels": "cedtag.labels.table",
    "find_similar": "cedtag.similar.search",
    "finetune": "cedtag.training.finetune",
    "learn": "cedtag.learning.learn",
    "load_teachers": "cedtag.distill.teachers",
    "merge": "cedtag.run.merging",
    "most_specific": "cedtag.labels.groups",
    "open_store": "cedtag.store",
    "read_data": "cedtag.inputs.manifest",
    "read_results": "cedtag.results.read",
    "roll_up": "cedtag.labels.groups",
    "seconds": "cedtag.records",
    "store_views": "cedtag.distill.run",
    "tag": "cedtag.tagger",
    "write_evaluation": "cedtag.evaluation.run",
    "write_events": "cedtag.results.events",
    "write_report": "cedtag.report.write",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        try:
            return getattr(import_module(_LAZY[name]), name)
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "torchaudio"):
                raise
            raise _without_torch(name) from error
    raise AttributeError(f"module 'cedtag' has no attribute {name!r}")


def _without_torch(name: str) -> ImportError:
    from cedtag.errors import MissingPackageError
    from cedtag.system.extras import missing

    return MissingPackageError(missing(f"cedtag.{name} needs torch", "torch"))


def __dir__() -> list[str]:
    return sorted(__all__)
