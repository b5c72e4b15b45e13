"""What the bytes of audio containers say, read without decoding them. Standard library only."""
