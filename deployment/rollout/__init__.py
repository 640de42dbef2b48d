"""Rolls the image out by Terraform. bentoctl's operators use its modules `registry`, `files`, `faults` and `state`.

These four run in bentoctl's environment too, which has boto3 and PyYAML but none of the service's packages.
"""
