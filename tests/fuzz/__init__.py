"""Mutated inputs for the readers of foreign bytes: `make fuzz`. A finding becomes a test of its reader."""
