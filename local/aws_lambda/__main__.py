"""`python -m local.aws_lambda`."""

import sys

from local.aws_lambda.cli import main

sys.exit(main())
