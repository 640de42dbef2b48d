data "aws_caller_identity" "current" {}

locals {
  function_name = "${var.deployment_name}-function"
  tags          = merge({ Deployment = var.deployment_name }, var.tags)
  tracing       = var.tracing_mode == "Active"

  environment = merge(
    var.env,
    {
      INPUT_BUCKET  = var.input_bucket
      OUTPUT_BUCKET = var.output_bucket
      RESULT_PREFIX = var.result_prefix
      IMAGE_DIGEST  = try(split("@", var.image_uri)[1], "")
    },
    local.tracing ? { TRACING = "xray" } : {},
  )
}

# Function

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338: log_retention_days keeps logs longer; the default does not keep the names of pictures for a year
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116: trigger.tf sends failed events to a queue; without s3_trigger no event is asynchronous
  #checkov:skip=CKV_AWS_117: the function calls S3 and CloudWatch Logs only, and has no port; a VPC would need endpoints for both
  #checkov:skip=CKV_AWS_272: AWS does not offer code signing for container images; image_uri names the image by digest
  function_name                  = local.function_name
  description                    = "YOLOv7: reads a picture from S3 and writes the annotated picture to S3"
  role                           = aws_iam_role.function.arn
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  publish                        = true

  environment {
    variables = local.environment
  }

  # The function writes JSON and embedded metrics itself.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  tracing_config {
    mode = var.tracing_mode
  }

  dynamic "snap_start" {
    for_each = var.snap_start ? [1] : []
    content {
      apply_on = "PublishedVersions"
    }
  }

  lifecycle {
    precondition {
      condition     = !(var.snap_start && var.provisioned_concurrency > 0)
      error_message = "Set snap_start or provisioned_concurrency, not both: AWS allows one of them per function."
    }

    precondition {
      condition     = var.reserved_concurrency == -1 || var.provisioned_concurrency <= var.reserved_concurrency
      error_message = "provisioned_concurrency (${var.provisioned_concurrency}) must not be more than reserved_concurrency (${var.reserved_concurrency}): lower the first, or raise the second (-1 sets no limit)."
    }
  }

  # AWS refuses tracing before the role allows it, and publishing for SnapStart runs the code.
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that receives requests"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_alias.live.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
