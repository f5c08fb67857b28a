"""what@asked+read: the registry of answers to the three questions, building, fitting."""
