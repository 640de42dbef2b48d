"""Measuring the service, and local stand-ins for the platforms it runs on."""
