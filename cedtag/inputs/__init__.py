"""From paths to recordings, their start times, and the windows cut from them."""
