"""Paper A: nested U-Net that segments ICSI frames and finds the needle tip (He et al. 2020)."""
