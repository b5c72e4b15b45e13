"""The structure of audio containers, read without decoding. Standard library only."""
