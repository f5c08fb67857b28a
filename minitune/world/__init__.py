"""The toy world: a seeded grammar over hand-written word lists, its tasks, and the proofs of what it promises."""
