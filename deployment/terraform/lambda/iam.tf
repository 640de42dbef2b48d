data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  source_policy_documents = [data.aws_iam_policy_document.pictures.json]

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = local.tracing ? [1] : []
    content {
      sid     = "WriteTraces"
      actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray has no ARNs to narrow these to.
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = aws_sqs_queue.failed
    content {
      sid       = "KeepFailedEvents"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value.arn]
    }
  }

  # A manifest of S3 Batch Operations can name versions of the pictures.
  dynamic "statement" {
    for_each = var.batch_operations ? [1] : []
    content {
      sid       = "ReadPictureVersions"
      actions   = ["s3:GetObjectVersion"]
      resources = ["${local.input_bucket_arn}/*"]
    }
  }

  # For the environment, and for the queue, to which Lambda sends as the function.
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = "${local.function_name}-${var.region}"
  description        = "What the function ${local.function_name} may do"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}
