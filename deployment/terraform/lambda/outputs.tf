output "endpoint" {
  description = "URL that /predict is put after."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "ARN to invoke: the alias live, which follows every deployment."
  value       = aws_lambda_alias.live.arn
}

output "log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "access_log_group" {
  description = "Log group of the HTTP API."
  value       = aws_cloudwatch_log_group.api.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "failed_queue_url" {
  description = "URL of the queue that keeps failed S3 events; null without s3_trigger."
  value       = one(aws_sqs_queue.failed[*].url)
}
