"""How is the question asked? Templates, and whatever fills or finds them."""
