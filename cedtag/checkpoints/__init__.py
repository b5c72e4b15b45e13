"""Where a model's files are: in the package, in a folder, or on the Hugging Face Hub."""
