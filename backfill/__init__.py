"""Send every picture of a prefix, a folder or a list through the service, and go on after a break."""
