# Byte for byte the same in every folder beside this one: each must work when it alone is copied elsewhere.

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

  # Without it S3 answers 403 for a picture that is not there, which cannot be told from a picture that may not be read.
  statement {
    sid       = "TellMissingPictures"
    actions   = ["s3:ListBucket"]
    resources = [local.input_bucket_arn]
  }

  # A presigned URL can do what its signer can do, so whoever hands it out must be able to read.
  statement {
    sid       = "WriteResults"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.output_bucket_arn}/${var.result_prefix}*"]
  }
}
