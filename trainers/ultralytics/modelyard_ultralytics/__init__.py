"""A trainer for Ultralytics YOLO detection models, speaking version 1 of the trainer contract."""
