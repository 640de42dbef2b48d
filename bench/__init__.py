"""How fast is it, and how fast could it be: engines and whole requests, side by side in one run."""
