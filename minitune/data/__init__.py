"""The toy world, its tasks, tokenizers, batches, and a user's own files."""
