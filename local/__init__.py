"""Everything needed to try the service on one machine: processes, an S3 server, both doors."""
