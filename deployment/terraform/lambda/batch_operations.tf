# The role of the jobs of S3 Batch Operations. Pictures and results are read and written with the function's role.

locals {
  # Not the function's attribute, or the plan of each new image would show the policy as changed.
  function_arn = "arn:${data.aws_partition.current.partition}:lambda:${var.region}:${data.aws_caller_identity.current.account_id}:function:${local.function_name}"
}

data "aws_iam_policy_document" "assume_batch_operations" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["batchoperations.s3.amazonaws.com"]
    }

    # AWS does not document that Batch Operations sends the account, so a request without it is accepted. Jobs of other
    # accounts are kept out either way: iam:PassRole does not pass a role to another account.
    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "batch_operations" {
  statement {
    sid     = "InvokeFunction"
    actions = ["lambda:InvokeFunction"]
    # The alias and the versions.
    resources = ["${local.function_arn}:*"]
  }

  # S3 lists a bucket for a manifest as it does for an inventory.
  statement {
    sid       = "GenerateManifests"
    actions   = ["s3:PutInventoryConfiguration"]
    resources = [local.input_bucket_arn]
  }

  statement {
    sid       = "ReadManifestsAndWriteReports"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    resources = ["${local.output_bucket_arn}/${var.batch_prefix}*"]
  }
}

resource "aws_iam_role" "batch_operations" {
  count = var.batch_operations ? 1 : 0

  name               = "${var.deployment_name}-batch-operations-${var.region}"
  description        = "What a job of S3 Batch Operations with ${local.function_name} may do"
  assume_role_policy = data.aws_iam_policy_document.assume_batch_operations.json

  lifecycle {
    precondition {
      condition = !(
        var.s3_trigger && var.input_bucket == var.output_bucket && startswith(var.batch_prefix, var.trigger_prefix)
      )
      error_message = "batch_operations and s3_trigger with one bucket need a batch_prefix that does not begin with trigger_prefix, or each manifest and report would start the function: set e.g. trigger_prefix = \"pictures/\"."
    }
  }
}

resource "aws_iam_role_policy" "batch_operations" {
  count = var.batch_operations ? 1 : 0

  name   = "batch-operations"
  role   = aws_iam_role.batch_operations[0].id
  policy = data.aws_iam_policy_document.batch_operations.json
}
