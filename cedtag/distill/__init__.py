"""Consistent ensemble distillation: views of clips, what teachers score them with, and the store of both."""
