"""Answers that are searched for on the training examples: label words, triggers, demonstrations, soft labels."""
