"""The bundled demo model: rendered scenes, and the training of a YOLOv7-tiny on them."""
