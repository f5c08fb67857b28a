"""Lessons: finding, running and converting them."""
