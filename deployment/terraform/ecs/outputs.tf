output "endpoint" {
  description = "URL before /predict."
  value       = "${local.https ? "https" : "http"}://${aws_lb.this.dns_name}"
}

output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "service" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "log_group" {
  description = "Log group of the tasks."
  value       = aws_cloudwatch_log_group.service.name
}

output "task_role_arn" {
  description = "ARN of the tasks' role."
  value       = aws_iam_role.task.arn
}
