resource "aws_sqs_queue" "failed" {
  count = var.s3_trigger ? 1 : 0

  name                      = "${var.deployment_name}-failed"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
}

resource "aws_lambda_function_event_invoke_config" "live" {
  count = var.s3_trigger ? 1 : 0

  function_name          = aws_lambda_function.this.function_name
  qualifier              = aws_lambda_alias.live.name
  maximum_retry_attempts = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed[0].arn
    }
  }
}

resource "aws_lambda_permission" "s3" {
  count = var.s3_trigger ? 1 : 0

  statement_id  = "AllowInputBucket"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "s3.amazonaws.com"
  source_arn    = local.input_bucket_arn
  # A bucket's ARN does not contain its owner, and another account can take the name of a deleted bucket.
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_s3_bucket_notification" "input" {
  count = var.s3_trigger ? 1 : 0

  bucket = var.input_bucket

  lambda_function {
    id                  = var.deployment_name
    lambda_function_arn = aws_lambda_alias.live.arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = var.trigger_prefix
    filter_suffix       = var.trigger_suffix
  }

  lifecycle {
    precondition {
      condition = var.input_bucket != var.output_bucket || !(
        startswith(var.result_prefix, var.trigger_prefix) || startswith(var.trigger_prefix, var.result_prefix)
      )
      error_message = "s3_trigger with one bucket for pictures and results needs a result_prefix and trigger_prefix of which neither begins with the other, or each result would start the function again: set e.g. trigger_prefix = \"pictures/\" and result_prefix = \"annotated/\", or another output_bucket."
    }
  }

  # S3 refuses a target that it may not invoke, and the queue of failed events must exist before the first event.
  depends_on = [aws_lambda_permission.s3, aws_lambda_function_event_invoke_config.live]
}
