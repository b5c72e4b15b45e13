"""The checkpoint and the recording in the package, and the scripts that made them."""
