"""Paper B: SSD on MobileNetV2 that finds sperm in testicular biopsy images (Wu et al. 2021)."""
