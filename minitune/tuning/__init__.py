"""What may change? One module for each answer."""
