"""How good scores are: `scores` gathers them, `metrics` judges, `report` says it in rows, `plot` draws it."""
