"""Results that were written: read back, converted, cut out of their recordings."""
