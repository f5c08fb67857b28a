"""How is the answer read? Heads and verbalizers."""
