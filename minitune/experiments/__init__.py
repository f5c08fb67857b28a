"""Draw, learn, measure once: comparing, sweeping, the worth of examples, and what needs no model."""
