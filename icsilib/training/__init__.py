"""What the trainings of both papers share."""
