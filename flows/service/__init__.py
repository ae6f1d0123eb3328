"""What keeps mindrail running on a machine: deployments, automations, local service, report server."""
