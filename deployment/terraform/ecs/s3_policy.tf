# This file is the same in both modules, because each module must work when it alone is copied elsewhere.

data "aws_partition" "current" {}

locals {
  input_bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${var.input_bucket}"
  output_bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.output_bucket}"
}

data "aws_iam_policy_document" "pictures" {
  statement {
    sid       = "ReadPictures"
    actions   = ["s3:GetObject"]
    resources = ["${local.input_bucket_arn}/*"]
  }

  # Without this permission S3 answers 403 for a missing picture, as for a picture that must not be read.
  statement {
    sid       = "TellMissingPictures"
    actions   = ["s3:ListBucket"]
    resources = [local.input_bucket_arn]
  }

  # A presigned URL can do only what its signer can do, so the signer must be able to read the results.
  statement {
    sid       = "WriteResults"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.output_bucket_arn}/${var.result_prefix}*"]
  }

  dynamic "statement" {
    for_each = var.bucket_kms_key_arns
    content {
      sid       = "UseBucketKey${statement.key}"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}
