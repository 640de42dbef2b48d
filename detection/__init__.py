"""Find objects in a picture with YOLOv7: picture in memory, detections, annotated picture."""
