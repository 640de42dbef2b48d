"""Read YOLOv7 checkpoints without running code from them."""
