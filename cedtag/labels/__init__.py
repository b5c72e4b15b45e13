"""Classes and their ontology, and which of them become tags."""
