"""Makers of good and bad archives, images and YOLO sets; every one from its arguments alone."""
