"""Statistics for comparing people with people and people with models."""
