"""Evaluation on labelled recordings: predictions and truth, measures, reports, figures."""
