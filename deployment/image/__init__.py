"""The image: a Bento, its model and its locked packages, as a folder that docker or podman build from."""
