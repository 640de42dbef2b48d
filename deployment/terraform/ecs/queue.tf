# Everything in this file is for queue: events about new objects of the input bucket, and requests, wait here for workers.

resource "aws_sqs_queue" "failed" {
  count = var.queue ? 1 : 0

  name                      = "${var.deployment_name}-failed"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
}

resource "aws_sqs_queue" "this" {
  count = var.queue ? 1 : 0

  name = "${var.deployment_name}-queue"
  # A worker extends this time while it works. After a worker's sudden end its messages wait so long for another one.
  visibility_timeout_seconds = 30
  # The time in this queue counts for the retention in the other one too.
  message_retention_seconds = 345600
  kms_master_key_id         = var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.failed[0].arn
    maxReceiveCount     = var.max_receives
  })
}

data "aws_iam_policy_document" "queue" {
  count = var.queue ? 1 : 0

  statement {
    sid       = "AllowInputBucket"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.this[0].arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.input_bucket_arn]
    }

    # A bucket's ARN does not contain its owner, and another account can take the name of a deleted bucket.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  count = var.queue ? 1 : 0

  queue_url = aws_sqs_queue.this[0].id
  policy    = data.aws_iam_policy_document.queue[0].json
}

resource "aws_s3_bucket_notification" "input" {
  count = var.queue ? 1 : 0

  bucket = var.input_bucket

  queue {
    id            = var.deployment_name
    queue_arn     = aws_sqs_queue.this[0].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.trigger_prefix
    filter_suffix = var.trigger_suffix
  }

  lifecycle {
    precondition {
      condition = var.input_bucket != var.output_bucket || !(
        startswith(var.result_prefix, var.trigger_prefix) || startswith(var.trigger_prefix, var.result_prefix)
      )
      error_message = "queue with one bucket for pictures and results needs a result_prefix and trigger_prefix of which neither begins with the other, or each result would be a message again: set e.g. trigger_prefix = \"pictures/\" and result_prefix = \"annotated/\", or another output_bucket."
    }
  }

  # S3 refuses a queue to which it may not send.
  depends_on = [aws_sqs_queue_policy.this]
}

# A queue that an interface endpoint reaches: on EC2 a task in the default VPC has no other way to SQS.

locals {
  sqs_endpoint = var.queue && coalesce(var.sqs_endpoint, local.on_ec2 && local.in_default_vpc)
}

resource "aws_security_group" "sqs_endpoint" {
  count = local.sqs_endpoint ? 1 : 0

  name        = "${var.deployment_name}-sqs"
  description = "Endpoint of SQS for ${var.deployment_name}"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "sqs_endpoint" {
  count = local.sqs_endpoint ? 1 : 0

  security_group_id            = aws_security_group.sqs_endpoint[0].id
  description                  = "Workers"
  referenced_security_group_id = aws_security_group.worker[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "sqs" {
  count = local.sqs_endpoint ? 1 : 0

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${var.region}.sqs"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.subnet_ids
  security_group_ids  = aws_security_group.sqs_endpoint[*].id
}
