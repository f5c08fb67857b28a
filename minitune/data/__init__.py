"""What every text needs: rows of a file, examples, tokenizers, batches."""
