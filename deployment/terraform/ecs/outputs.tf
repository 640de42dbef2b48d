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

output "queue_url" {
  description = "URL of the queue, for requests as messages; null without queue."
  value       = one(aws_sqs_queue.this[*].url)
}

output "queue_arn" {
  description = "ARN of the queue, on which a sender of requests needs the permission sqs:SendMessage; null without queue."
  value       = one(aws_sqs_queue.this[*].arn)
}

output "failed_queue_url" {
  description = "URL of the queue of messages that no worker could answer; null without queue."
  value       = one(aws_sqs_queue.failed[*].url)
}

output "worker_service" {
  description = "Name of the service of the workers; null without queue."
  value       = one(aws_ecs_service.worker[*].name)
}
