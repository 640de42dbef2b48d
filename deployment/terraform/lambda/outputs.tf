output "endpoint" {
  description = "URL before /predict."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "invoke_arn" {
  description = "ARN on which a caller of authorizer AWS_IAM needs the permission execute-api:Invoke."
  value       = "${aws_apigatewayv2_api.this.execution_arn}/${aws_apigatewayv2_stage.default.name}/POST/predict"
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "ARN of the alias live, which always names the deployed version."
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
  description = "URL of the queue of failed S3 events; null without s3_trigger."
  value       = one(aws_sqs_queue.failed[*].url)
}

output "batch_operations_role_arn" {
  description = "ARN of the role for jobs of S3 Batch Operations; null without batch_operations."
  value       = one(aws_iam_role.batch_operations[*].arn)
}
