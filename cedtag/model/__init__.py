"""CED: its configuration, front end, network and weight files."""
