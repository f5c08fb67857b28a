"""A tuned method in use: predicting, explaining, saving, opening, swapping."""
