"""Simulated people who label phantoms."""
