"""what@asked+read: the registry, building, settings, fitting, comparing, saving."""
