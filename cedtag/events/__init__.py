"""From scored windows to sound events: a class with its onset and offset."""
