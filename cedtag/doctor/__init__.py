"""Whether this installation works, and what a bug report needs."""
