"""One image of the service, and what rolls it out."""
