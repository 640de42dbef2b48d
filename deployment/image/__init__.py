"""The image: a folder with a Bento, its model and its locked packages, from which docker or podman build it."""
