"""What is asked: the examples and the question of a task of the toy world, or of a user's own file."""
