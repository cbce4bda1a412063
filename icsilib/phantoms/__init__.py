"""Generated stand-ins for the papers' private data, with exact ground truth from a seed."""
