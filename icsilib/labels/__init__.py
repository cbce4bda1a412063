"""Labels of other tools: read into the study's format, and written from it."""
