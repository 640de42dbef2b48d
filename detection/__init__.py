"""Find objects in a picture with YOLOv7: fetch, decode, detect, annotate, store."""
