"""What can go wrong, as one sentence each: the subject, the fault, the next step.

Parameters stand in backquotes (`overwrite`); the command line puts its options in their place (--overwrite).
"""


class CedtagError(Exception):
    """Every error that cedtag raises on purpose; its text is a sentence for the user."""


class InputError(CedtagError):
    """Invalid user input: a parameter, a label, a path that does not exist."""


class AudioError(CedtagError):
    """One recording gives no audio. It costs that recording, never the run.

    `traceback` is text where the stage is "bug": a mistake in cedtag.
    """

    def __init__(self, message: str, *, stage: str = "decode", traceback: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.traceback = traceback


class ModelError(CedtagError):
    """A checkpoint is missing, out of reach, damaged, or not a CED."""


class MissingPackageError(CedtagError, ImportError):
    """A package that cedtag can use, and does not bring, is not installed."""

    __str__ = Exception.__str__  # that of ImportError shows no other text than the first


class OutputError(CedtagError):
    """Results cannot be written where they should go."""
