"""How the number of replicas follows demand: the Kubernetes HPA, AWS's target tracking and others, as sourced rules."""
