"""Data in and out: the manifest of what the study uses, annotations, video, preprocessing, splits."""
