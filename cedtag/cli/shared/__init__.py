"""What several commands use: options, messages, failures, interrupts, tables."""
