"""The project on one machine: an S3 server, the service and the local Lambda as processes."""
