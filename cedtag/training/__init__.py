"""Learning: `manifest` says what is heard where, `clips` decodes it, `augment` varies it, `loop` and `run` train."""
