"""The study's extension of paper A: the network looks again, at close-ups of what it found. Not in the paper."""
