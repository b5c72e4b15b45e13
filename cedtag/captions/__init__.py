"""Captions for people who do not hear: what sounds, between the lines of a film."""
