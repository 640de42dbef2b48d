"""The YOLOv7 network in torch and its seven variants."""
