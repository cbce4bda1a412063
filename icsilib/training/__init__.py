"""What the trainings of both papers share; their loops are `segmentation.train` and `detection.train`."""
