"""A local AWS Lambda: sandboxes around the real runtime, a pool of them, and a gateway."""
