"""To and from the library peft."""
