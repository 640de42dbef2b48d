"""What a platform costs per month, from dated prices."""
