"""Windows of a store that sound like examples."""
