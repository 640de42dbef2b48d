resource "aws_sqs_queue" "failed" {
  count = var.s3_trigger ? 1 : 0

  name                      = "${var.deployment_name}-failed"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
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
  # A bucket's ARN does not tell whose it is: names of deleted buckets can be taken by others.
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

  # S3 refuses a target that it may not invoke, and no event shall come before its failure would be kept.
  depends_on = [aws_lambda_permission.s3, aws_lambda_function_event_invoke_config.live]
}
