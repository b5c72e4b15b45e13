"""How the bytes of one recording become samples: containers, decoders, one downmix, one resampler."""
