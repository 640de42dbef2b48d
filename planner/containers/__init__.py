"""Containers: requests on the replicas of ECS, Fargate, Kubernetes and Knative."""
