"""Where the results of a run go: a stream, files, or a folder."""
