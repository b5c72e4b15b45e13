"""Classes of one's own, learned from a few examples on the embeddings of a store."""
