"""One run over any number of recordings: pipeline, journal, outputs."""
