"""YOLOv7 weights, converted for OpenVINO, in BentoML's model store."""
