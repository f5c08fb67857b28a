"""The three answers joined: a tuned model, a way to ask and a way to read."""
