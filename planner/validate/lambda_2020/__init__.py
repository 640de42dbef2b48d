"""Comparison with AWS Lambda as it was measured in 2020.

Source: N. Mahmoudi and H. Khazaei, "Performance Modeling of Serverless Computing Platforms", IEEE Transactions on Cloud
Computing, 2020, and "SimFaaS", CLOSER 2021. The data are not part of the project.
"""

from planner.validate.lambda_2020.compare import DATA, compare

__all__ = ["DATA", "compare"]
